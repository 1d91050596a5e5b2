/** What an image is inside: one value, whole, with its properties and tags. Sizes are bytes unless the name says otherwise. */
export const visibilities = ['private', 'public', 'shared', 'community'] as const
export type Visibility = (typeof visibilities)[number]
export type ImageStatus = 'queued' | 'uploading' | 'importing' | 'saving' | 'active' | 'deactivated' | 'deleted'

export const containerFormats = ['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed'] as const
export const diskFormats = ['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso', 'ploop'] as const

export type Image = {
  id: string
  name: string | null
  status: ImageStatus
  diskFormat: string | null
  containerFormat: string | null
  /** Null until there are bytes. */
  sizeBytes: number | null
  virtualSizeBytes: number | null
  /** MD5, hex. */
  checksum: string | null
  hashAlgo: string | null
  hashValue: string | null
  minDiskGib: number
  minRamMib: number
  visibility: Visibility
  ownerId: string | null
  protected: boolean
  hidden: boolean
  tags: string[]
  properties: Record<string, string>
  createdAt: string
  updatedAt: string
}

export type NewImage = {
  id?: string
  name: string | null
  diskFormat: string | null
  containerFormat: string | null
  visibility: Visibility
  ownerId: string | null
  minDiskGib: number
  minRamMib: number
  properties: Record<string, string>
  tags?: string[]
  protected?: boolean
  hidden?: boolean
}

/** Who looks; `null` is the cloud itself and sees all. */
export type Viewer = { projectId: string | null; isAdmin: boolean } | null

/** Whether a project owns it; a token without project owns nothing. */
export const isOwner = (image: Image, viewer: Viewer): boolean =>
  viewer !== null && viewer.projectId !== null && image.ownerId === viewer.projectId
