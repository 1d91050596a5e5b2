import { int, section } from '../../base/config/index.ts'

export const conductorConfig = section('image_cache', {
  managerInterval: int({ default: 2400, min: 0, doc: 'Seconds between two searches for base images that no guest uses; 0: never.' }),
})
