/** Options of consoles, by nova.conf's names. */
import { bool, int, list, type Section, section, text } from '../../base/config/index.ts'

export const consoleAuthConfig = section('consoleauth', {
  tokenTtl: int({ default: 600, min: 1, doc: 'Seconds for which a console URL can be opened.' }),
  enforceSessionTimeout: bool({ default: false, doc: 'End an open console when its token would have expired.' }),
})

export const vncConfig = section('vnc', {
  enabled: bool({ default: true, doc: 'Offer graphical consoles.' }),
  novncproxyBaseUrl: text({
    default: '',
    doc: "The console page's URL as users reach it; empty: under the address at which the request came in.",
  }),
})

export const serialConsoleConfig = section('serial_console', {
  enabled: bool({ default: false, doc: 'Offer serial consoles over WebSocket.' }),
  baseUrl: text({ default: '', doc: 'The WebSocket URL of serial consoles; empty: under the address at which the request came in.' }),
})

export const rdpConfig = section('rdp', {
  enabled: bool({
    default: false,
    doc: 'Offer rdp-html5 where a hypervisor has it; of those here only the fake one does, for clients under test.',
  }),
  html5ProxyBaseUrl: text({ default: 'http://127.0.0.1:6083/', doc: "The URL of somebody's proxy for RDP." }),
})

export const mksConfig = section('mks', {
  enabled: bool({
    default: false,
    doc: 'Offer webmks where a hypervisor has it; of those here only the fake one does, for clients under test.',
  }),
  mksproxyBaseUrl: text({ default: 'http://127.0.0.1:6090/', doc: "The URL of somebody's proxy for MKS." }),
})

export const consoleConfig = section('console', {
  allowedOrigins: list({
    default: [],
    doc: 'Further origins whose pages may open consoles: host names, or exact ones such as https://cloud.example:8443.',
  }),
  frameAncestors: list({
    default: ["'self'"],
    doc: "Who may show the console page in a frame, as in Content-Security-Policy: 'self', 'none' or origins.",
  }),
})

export const consoleSections: Section[] = [consoleAuthConfig, vncConfig, serialConsoleConfig, rdpConfig, mksConfig, consoleConfig]
