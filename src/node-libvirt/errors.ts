/**
 * What goes wrong: libvirt's own errors with their numbers named, and the loss of the connection.
 *
 * @see https://libvirt.org/html/libvirt-virterror.html
 */

/** libvirt's error numbers, by the names that libvirt gives them (without `VIR_ERR_`). */
export const ErrorCode = {
  OK: 0,
  INTERNAL_ERROR: 1,
  NO_MEMORY: 2,
  NO_SUPPORT: 3,
  UNKNOWN_HOST: 4,
  NO_CONNECT: 5,
  INVALID_CONN: 6,
  INVALID_DOMAIN: 7,
  INVALID_ARG: 8,
  OPERATION_FAILED: 9,
  GET_FAILED: 10,
  POST_FAILED: 11,
  HTTP_ERROR: 12,
  SEXPR_SERIAL: 13,
  NO_XEN: 14,
  XEN_CALL: 15,
  OS_TYPE: 16,
  NO_KERNEL: 17,
  NO_ROOT: 18,
  NO_SOURCE: 19,
  NO_TARGET: 20,
  NO_NAME: 21,
  NO_OS: 22,
  NO_DEVICE: 23,
  NO_XENSTORE: 24,
  DRIVER_FULL: 25,
  CALL_FAILED: 26,
  XML_ERROR: 27,
  DOM_EXIST: 28,
  OPERATION_DENIED: 29,
  OPEN_FAILED: 30,
  READ_FAILED: 31,
  PARSE_FAILED: 32,
  CONF_SYNTAX: 33,
  WRITE_FAILED: 34,
  XML_DETAIL: 35,
  INVALID_NETWORK: 36,
  NETWORK_EXIST: 37,
  SYSTEM_ERROR: 38,
  RPC: 39,
  GNUTLS_ERROR: 40,
  WAR_NO_NETWORK: 41,
  NO_DOMAIN: 42,
  NO_NETWORK: 43,
  INVALID_MAC: 44,
  AUTH_FAILED: 45,
  INVALID_STORAGE_POOL: 46,
  INVALID_STORAGE_VOL: 47,
  WAR_NO_STORAGE: 48,
  NO_STORAGE_POOL: 49,
  NO_STORAGE_VOL: 50,
  WAR_NO_NODE: 51,
  INVALID_NODE_DEVICE: 52,
  NO_NODE_DEVICE: 53,
  NO_SECURITY_MODEL: 54,
  OPERATION_INVALID: 55,
  WAR_NO_INTERFACE: 56,
  NO_INTERFACE: 57,
  INVALID_INTERFACE: 58,
  MULTIPLE_INTERFACES: 59,
  WAR_NO_NWFILTER: 60,
  INVALID_NWFILTER: 61,
  NO_NWFILTER: 62,
  BUILD_FIREWALL: 63,
  WAR_NO_SECRET: 64,
  INVALID_SECRET: 65,
  NO_SECRET: 66,
  CONFIG_UNSUPPORTED: 67,
  OPERATION_TIMEOUT: 68,
  MIGRATE_PERSIST_FAILED: 69,
  HOOK_SCRIPT_FAILED: 70,
  INVALID_DOMAIN_SNAPSHOT: 71,
  NO_DOMAIN_SNAPSHOT: 72,
  INVALID_STREAM: 73,
  ARGUMENT_UNSUPPORTED: 74,
  STORAGE_PROBE_FAILED: 75,
  STORAGE_POOL_BUILT: 76,
  SNAPSHOT_REVERT_RISKY: 77,
  OPERATION_ABORTED: 78,
  AUTH_CANCELLED: 79,
  NO_DOMAIN_METADATA: 80,
  MIGRATE_UNSAFE: 81,
  OVERFLOW: 82,
  BLOCK_COPY_ACTIVE: 83,
  OPERATION_UNSUPPORTED: 84,
  SSH: 85,
  AGENT_UNRESPONSIVE: 86,
  RESOURCE_BUSY: 87,
  ACCESS_DENIED: 88,
  DBUS_SERVICE: 89,
  STORAGE_VOL_EXIST: 90,
  CPU_INCOMPATIBLE: 91,
  XML_INVALID_SCHEMA: 92,
  MIGRATE_FINISH_OK: 93,
  AUTH_UNAVAILABLE: 94,
  NO_SERVER: 95,
  NO_CLIENT: 96,
  AGENT_UNSYNCED: 97,
  LIBSSH: 98,
  DEVICE_MISSING: 99,
  INVALID_NWFILTER_BINDING: 100,
  NO_NWFILTER_BINDING: 101,
  INVALID_DOMAIN_CHECKPOINT: 102,
  NO_DOMAIN_CHECKPOINT: 103,
  NO_DOMAIN_BACKUP: 104,
  INVALID_NETWORK_PORT: 105,
  NETWORK_PORT_EXIST: 106,
  NO_NETWORK_PORT: 107,
  NO_HOSTNAME: 108,
  CHECKPOINT_INCONSISTENT: 109,
  MULTIPLE_DOMAINS: 110,
} as const

/** The part of libvirt that failed, by number. */
const domainNames: Record<number, string> = {
  0: 'NONE',
  1: 'XEN',
  2: 'XEND',
  3: 'XENSTORE',
  4: 'SEXPR',
  5: 'XML',
  6: 'DOM',
  7: 'RPC',
  8: 'PROXY',
  9: 'CONF',
  10: 'QEMU',
  11: 'NET',
  12: 'TEST',
  13: 'REMOTE',
  14: 'OPENVZ',
  15: 'XENXM',
  16: 'STATS_LINUX',
  17: 'LXC',
  18: 'STORAGE',
  19: 'NETWORK',
  20: 'DOMAIN',
  21: 'UML',
  22: 'NODEDEV',
  23: 'XEN_INOTIFY',
  24: 'SECURITY',
  25: 'VBOX',
  26: 'INTERFACE',
  27: 'ONE',
  28: 'ESX',
  29: 'PHYP',
  30: 'SECRET',
  31: 'CPU',
  32: 'XENAPI',
  33: 'NWFILTER',
  34: 'HOOK',
  35: 'DOMAIN_SNAPSHOT',
  36: 'AUDIT',
  37: 'SYSINFO',
  38: 'STREAMS',
  39: 'VMWARE',
  40: 'EVENT',
  41: 'LIBXL',
  42: 'LOCKING',
  43: 'HYPERV',
  44: 'CAPABILITIES',
  45: 'URI',
  46: 'AUTH',
  47: 'DBUS',
  48: 'PARALLELS',
  49: 'DEVICE',
  50: 'SSH',
  51: 'LOCKSPACE',
  52: 'INITCTL',
  53: 'IDENTITY',
  54: 'CGROUP',
  55: 'ACCESS',
  56: 'SYSTEMD',
  57: 'BHYVE',
  58: 'CRYPTO',
  59: 'FIREWALL',
  60: 'POLKIT',
  61: 'THREAD',
  62: 'ADMIN',
  63: 'LOGGING',
  64: 'XENXL',
  65: 'PERF',
  66: 'LIBSSH',
  67: 'RESCTRL',
  68: 'FIREWALLD',
  69: 'DOMAIN_CHECKPOINT',
  70: 'TPM',
  71: 'BPF',
  72: 'CH',
}

const codeNames = new Map<number, string>(Object.entries(ErrorCode).map(([name, code]) => [code, name]))

/** The daemon refused or failed a call. `level` is 1 for a warning, 2 for an error. */
export class LibvirtError extends Error {
  override name = 'LibvirtError'
  readonly code: number
  readonly domain: number
  readonly level: number

  constructor(code: number, message: string, domain = 0, level = 2) {
    super(message)
    this.code = code
    this.domain = domain
    this.level = level
  }

  /** Such as `NO_DOMAIN`; a number that is newer than this list is its own name. */
  get codeName(): string {
    return codeNames.get(this.code) ?? String(this.code)
  }

  /** Such as `QEMU`. */
  get domainName(): string {
    return domainNames[this.domain] ?? String(this.domain)
  }

  /** @param codes names as in {@link ErrorCode}. */
  is(...codes: (keyof typeof ErrorCode)[]): boolean {
    return codes.some((code) => ErrorCode[code] === this.code)
  }
}

/** The connection is gone; whether a call that was under way took effect is not known. */
export class ConnectionLost extends Error {
  override name = 'ConnectionLost'
}
