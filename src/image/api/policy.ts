/**
 * Who may do what by default. Whether the caller may *see* an image is settled before a rule is asked: what it may not
 * see is not found.
 *
 * @see https://docs.openstack.org/glance/latest/configuration/glance_policy.html
 */
import type { Policies } from '../../base/http/index.ts'

export const policies: Policies = {
  add_image: 'project_member',
  get_image: 'admin|reader',
  get_images: 'project_reader',
  modify_image: 'project_member',
  delete_image: 'project_member',
  publicize_image: 'admin',
  communitize_image: 'project_member',
  upload_image: 'project_member',
  download_image: 'admin|member',
  stage_image: 'project_member',
  import_image: 'project_member',
  deactivate: 'project_member',
  reactivate: 'project_member',
  fetch_image_location: 'admin|service',
  add_member: 'project_member',
  get_members: 'admin|reader',
  get_member: 'admin|reader',
  modify_member: 'admin|member',
  delete_member: 'project_member',
  get_metadef_namespaces: 'project_reader',
  get_tasks: 'admin',
  get_task: 'admin',
  get_image_tasks: 'project_reader',
}
