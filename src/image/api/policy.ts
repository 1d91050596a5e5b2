/**
 * Who may do what by default. Whether the caller may *see* an image is settled before a rule is asked: what it may not
 * see is not found.
 *
 * @see https://docs.openstack.org/glance/latest/configuration/glance_policy.html
 */
import type { Check, Policies } from '../../base/http/index.ts'

const memberAnywhere: Check = (principal) => principal.isAdmin || principal.roles.includes('member')

export const policies: Policies = {
  add_image: 'admin|project_member',
  get_image: 'admin|reader',
  get_images: 'admin|project_reader',
  modify_image: 'admin|project_member',
  delete_image: 'admin|project_member',
  publicize_image: 'admin',
  communitize_image: 'admin|project_member',
  upload_image: 'admin|project_member',
  download_image: memberAnywhere,
  stage_image: 'admin|project_member',
  import_image: 'admin|project_member',
  deactivate: 'admin|project_member',
  reactivate: 'admin|project_member',
  fetch_image_location: 'admin|service',
  add_member: 'admin|project_member',
  get_members: 'admin|reader',
  get_member: 'admin|reader',
  modify_member: memberAnywhere,
  delete_member: 'admin|project_member',
  get_metadef_namespaces: 'admin|project_reader',
  get_tasks: 'admin',
  get_task: 'admin',
  get_image_tasks: 'admin|project_reader',
}
