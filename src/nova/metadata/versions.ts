/**
 * The versions of the two trees. They are dates (EC2's first is a number), and sort as texts.
 *
 * @see https://docs.openstack.org/nova/latest/user/metadata.html
 */
const ec2Versions = [
  '1.0',
  '2007-01-19',
  '2007-03-01',
  '2007-08-29',
  '2007-10-10',
  '2007-12-15',
  '2008-02-01',
  '2008-09-01',
  '2009-04-04',
] as const

/** What each OpenStack version added. */
export const since = {
  base: '2012-08-10',
  seedAndPassword: '2013-04-04',
  vendorData: '2013-10-17',
  projectAndNetwork: '2015-10-15',
  devices: '2016-06-30',
  vendorData2: '2016-10-06',
  vlan: '2017-02-22',
  vfTrusted: '2018-08-27',
  dedicatedCpus: '2020-10-14',
  shares: '2025-04-04',
} as const

export const openstackVersions: readonly string[] = Object.values(since)

/** The version behind a path's word; null for none of ours. */
const resolve = (versions: readonly string[], word: string): string | null =>
  word === 'latest' ? (versions.at(-1) ?? null) : (versions.find((version) => version === word) ?? null)

export const ec2Version = (word: string): string | null => resolve(ec2Versions, word)
export const openstackVersion = (word: string): string | null => resolve(openstackVersions, word)

export const ec2Listing = (): string[] => [...ec2Versions, 'latest']

/** Versions dated later than today are kept from listings, for guests that pick the newest. */
export const openstackListing = (today: string): string[] => [...openstackVersions.filter((version) => version <= today), 'latest']
