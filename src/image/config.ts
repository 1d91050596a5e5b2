/** Limits of images, and how long the bases of guests' disks stay when no guest needs them. */
import { bool, int, section } from '../base/config/index.ts'

const gib = 1024 ** 3

export const imageConfig = section('image', {
  imageSizeCap: int({ default: 1024 * gib, min: 1, doc: 'Largest image in bytes that may be uploaded.' }),
  maxVirtualSizeGb: int({ default: 2048, min: 1, doc: 'Largest disk, in GiB, that an image may unfold to.' }),
  userStorageQuota: int({ default: 0, min: 0, doc: 'Bytes that all images of a project may have together; 0 means no limit.' }),
  imagePropertyQuota: int({ default: 128, min: -1, doc: 'Properties allowed on an image; -1 means no limit.' }),
  imageTagQuota: int({ default: 128, min: -1, doc: 'Tags allowed on an image; -1 means no limit.' }),
  imageMemberQuota: int({ default: 128, min: -1, doc: 'Members allowed on an image; -1 means no limit.' }),
  limitParamDefault: int({ default: 25, min: 1, doc: 'Images in a page when the client names no limit.' }),
  apiLimitMax: int({ default: 1000, min: 1, doc: 'Images in a page at most.' }),
})

export const imageCacheConfig = section('image_cache', {
  removeUnusedBaseImages: bool({ default: true, doc: "Removes base images that no guest's disk stands on." }),
  removeUnusedOriginalMinimumAgeSeconds: int({
    default: 86_400,
    min: 0,
    doc: 'Seconds since its last use before an unused base image goes.',
  }),
})

export const imageDiskConfig = section('DEFAULT', {
  forceRawImages: bool({ default: true, doc: 'Converts base images to raw; otherwise a qcow2 stays one.' }),
})
