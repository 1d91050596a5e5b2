/** The shape of a format's own judge, and the list of them all. Each is a pure function of the kept regions. */
import type { Regions } from './regions.ts'

/** Names as the Image API's `disk_format` has them; after the bar, those that it has not and that are always refused. */
export type ImageFormat =
  | 'raw'
  | 'qcow2'
  | 'vmdk'
  | 'vdi'
  | 'vhd'
  | 'vhdx'
  | 'iso'
  | 'ploop'
  | 'qcow'
  | 'qed'
  | 'luks'
  | 'bochs'
  | 'cloop'
  | 'dmg'

/** What a judge found; null from a judge means: not my format. */
export type Finding = { virtualSizeBytes: number | null; problems: string[] }
export type Judge = (regions: Regions) => Finding | null
