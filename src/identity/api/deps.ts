/** What the handlers of this API are given. */
import type { AccessBook } from '../access.ts'
import type { Authenticator } from '../authentication.ts'
import type { Catalog } from '../catalog.ts'
import type { Projects } from '../projects.ts'
import type { Revocations } from '../tokens/revocations.ts'
import type { Tokens } from '../tokens/tokens.ts'
import type { Users } from '../users.ts'

export type Deps = {
  readonly access: AccessBook
  readonly authenticator: Authenticator
  readonly catalog: Catalog
  readonly projects: Projects
  readonly revocations: Revocations
  readonly tokens: Tokens
  readonly users: Users
}
