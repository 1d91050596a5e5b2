/**
 * How each service words a failure. A room throws kinds (`CloudError`); here a kind becomes a status and a body in the
 * dialect of the service that was asked.
 */
import { STATUS_CODES } from 'node:http'
import type { CloudError, ErrorKind } from '../errors.ts'

const statusOfKind: Record<ErrorKind, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'over-quota': 403,
  'not-found': 404,
  'method-not-allowed': 405,
  'not-acceptable': 406,
  conflict: 409,
  gone: 410,
  'too-large': 413,
  'unsupported-media': 415,
  'not-implemented': 501,
  unavailable: 503,
}

export type Fault = {
  status: number
  title: string
  message: string
  type: string | undefined
  code: string | undefined
  requestId: string
}

export type Dialect = {
  render(fault: Fault): unknown
  /** 405 for a known path with a wrong method, or 404 as compute does. */
  wrongMethod: 404 | 405
  /** A network client expects 409 for a quota, others 403. */
  overQuota: 403 | 409 | 413
  /** The sentence for a caller whom a policy refuses; Nova's when absent. */
  forbidden?: (rule: string) => string
  /** The body of a path that no operation has. */
  unknownRoute?: { contentType: string; body: string }
}

export const statusOf = (error: CloudError, dialect: Dialect): number =>
  error.kind === 'over-quota' ? dialect.overQuota : statusOfKind[error.kind]

export const titleOf = (status: number): string => STATUS_CODES[status] ?? 'Error'

const novaKeys: Record<number, string> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  501: 'notImplemented',
  503: 'serviceUnavailable',
}

const keystoneBody = ({ status, title, message }: Fault) => ({ error: { code: status, title, message } })

/** @see https://docs.openstack.org/api-guide/compute/faults.html */
export const novaDialect: Dialect = {
  render: (fault) =>
    fault.status === 401
      ? keystoneBody(fault)
      : { [novaKeys[fault.status] ?? 'computeFault']: { code: fault.status, message: fault.message } },
  wrongMethod: 404,
  overQuota: 403,
  unknownRoute: {
    contentType: 'text/html; charset=UTF-8',
    body: '<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n  The resource could not be found.<br /><br />\n\n\n\n </body>\n</html>',
  },
}

/** @see https://docs.openstack.org/api-ref/identity/v3/ */
export const identityDialect: Dialect = {
  render: keystoneBody,
  wrongMethod: 405,
  overQuota: 403,
  forbidden: (rule) => `You are not authorized to perform the requested action: ${rule}.`,
}

/** Glance answers in HTML whose text is the explanation; clients print the body's text. */
export const imageDialect: Dialect = {
  render: ({ status, title, message }) =>
    `<html>\n <head>\n  <title>${status} ${title}</title>\n </head>\n <body>\n  <h1>${status} ${title}</h1>\n  ${escapeHtml(message)}<br /><br />\n\n\n\n </body>\n</html>`,
  wrongMethod: 405,
  overQuota: 413,
}

export const networkDialect: Dialect = {
  render: (fault) =>
    fault.status === 401
      ? keystoneBody(fault)
      : { NeutronError: { type: fault.type ?? networkType(fault.status), message: fault.message, detail: '' } },
  wrongMethod: 404,
  overQuota: 409,
}

const networkType = (status: number): string =>
  ({
    400: 'HTTPBadRequest',
    403: 'HTTPForbidden',
    404: 'HTTPNotFound',
    409: 'HTTPConflict',
    501: 'HTTPNotImplemented',
    503: 'HTTPServiceUnavailable',
  })[status] ?? 'HTTPInternalServerError'

/** @see https://docs.openstack.org/api-ref/placement/#errors */
export const placementDialect: Dialect = {
  render: ({ status, title, message, code, requestId }) => ({
    errors: [{ status, title, detail: message, code: code ?? 'placement.undefined_code', request_id: requestId }],
  }),
  wrongMethod: 405,
  overQuota: 403,
}

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[sign] ?? sign)
