/** The version document: what a client asks, without a token, to learn how far microversions go. */
import { operation } from '../../base/http/index.ts'
import type { Store } from '../store.ts'

export const minVersion = '1.0'
export const maxVersion = '1.39'

const showVersions = operation<Store>({
  method: 'GET',
  path: '/',
  status: 200,
  auth: 'none',
  handle: ({ context }) => ({
    versions: [
      {
        id: 'v1.0',
        min_version: minVersion,
        max_version: maxVersion,
        status: 'CURRENT',
        links: [{ rel: 'self', href: context.baseUrl.slice(context.origin.length) }],
      },
    ],
  }),
})

export const rootOperations = [showVersions]
