/** Members of a shared image. @see https://docs.openstack.org/api-ref/image/v2/#sharing */
import { as, bodies, operation, Type } from '../../base/http/index.ts'
import { type Member, type MemberStatus, memberStatuses } from '../members.ts'
import { type ImageDeps, imageIn, ownerOf, viewerOf } from './deps.ts'
import { showMember } from './view.ts'

const newMember = Type.Object({ member: Type.String({ minLength: 1, maxLength: 255 }) })
const memberStatus = Type.Object({ status: Type.Unsafe<MemberStatus>({ type: 'string', enum: [...memberStatuses] }) })

export const addMember = operation({
  method: 'POST',
  path: '/images/{image_id}/members',
  status: 200,
  errors: [400, 403, 404, 409, 413],
  policy: 'add_member',
  target: ownerOf,
  body: bodies<{ member: string }>({ '0.0': as(newMember) }),
  view: showMember,
  handle: (request, deps: ImageDeps): Member => deps.members.add(imageIn(request, deps), request.body.member, viewerOf(request.context)),
})

export const indexMembers = operation({
  method: 'GET',
  path: '/images/{image_id}/members',
  status: 200,
  errors: [403, 404],
  policy: 'get_members',
  handle: (request, deps: ImageDeps) => ({
    members: deps.members.list(imageIn(request, deps), viewerOf(request.context)).map(showMember),
    schema: '/v2/schemas/members',
  }),
})

export const showOneMember = operation({
  method: 'GET',
  path: '/images/{image_id}/members/{member_id}',
  status: 200,
  errors: [403, 404],
  policy: 'get_member',
  view: showMember,
  handle: (request, deps: ImageDeps): Member =>
    deps.members.get(imageIn(request, deps), request.params.member_id ?? '', viewerOf(request.context)),
})

export const updateMember = operation({
  method: 'PUT',
  path: '/images/{image_id}/members/{member_id}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'modify_member',
  body: bodies<{ status: MemberStatus }>({ '0.0': as(memberStatus) }),
  view: showMember,
  handle: (request, deps: ImageDeps): Member =>
    deps.members.setStatus(imageIn(request, deps), request.params.member_id ?? '', request.body.status, viewerOf(request.context)),
})

export const deleteMember = operation({
  method: 'DELETE',
  path: '/images/{image_id}/members/{member_id}',
  status: 204,
  errors: [403, 404],
  policy: 'delete_member',
  target: ownerOf,
  handle: (request, deps: ImageDeps) => {
    deps.members.remove(imageIn(request, deps), request.params.member_id ?? '', viewerOf(request.context))
  },
})
