/** Options of compute hosts: their names, and the config drives they make. */
import { bool, choice, section, text } from '../../base/config/index.ts'

export const computeConfig = section('compute', {
  configDriveFormat: choice(['iso9660', 'vfat'], { default: 'iso9660', doc: 'The file system of config drives.' }),
  forceConfigDrive: bool({ default: false, doc: 'Give every new guest a config drive.' }),
  host: text({ default: '', doc: "The compute host's name; empty: this machine's." }),
})
