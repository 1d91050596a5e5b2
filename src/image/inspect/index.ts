/** The front of image inspection: header judgement of untrusted images, for files and for uploads as they stream. */
export { checkUpload, ImageRefused } from './check-upload.ts'
export type { ImageFormat } from './formats.ts'
export { type ImageReader, type Inspection, InspectionStream, inspect } from './inspection.ts'
