/** What the handlers of this API are given. */
import type { AccessBook } from '../access.ts'
import type { ApplicationCredentials } from '../application-credentials.ts'
import type { Assignments } from '../assignments.ts'
import type { Authenticator } from '../authentication.ts'
import type { Catalog } from '../catalog.ts'
import type { Credentials } from '../credentials.ts'
import type { Groups } from '../groups.ts'
import type { Projects } from '../projects.ts'
import type { Roles } from '../roles.ts'
import type { Services } from '../services.ts'
import type { Revocations } from '../tokens/revocations.ts'
import type { Tokens } from '../tokens/tokens.ts'
import type { Users } from '../users.ts'

export type Deps = {
  readonly access: AccessBook
  readonly applicationCredentials: ApplicationCredentials
  readonly assignments: Assignments
  readonly authenticator: Authenticator
  readonly catalog: Catalog
  readonly credentials: Credentials
  readonly groups: Groups
  readonly projects: Projects
  readonly revocations: Revocations
  readonly roles: Roles
  readonly services: Services
  readonly tokens: Tokens
  readonly users: Users
}
