/** Refusals under Neutron's class names, which clients switch on. @see https://docs.openstack.org/neutron-lib/latest/reference/modules/neutron_lib.exceptions.html */
import { CloudError, conflict, forbidden, invalid, notFound, overQuota } from '../base/errors.ts'

const missing = (type: string, what: string) => (id: string) => notFound(`${what} ${id} could not be found.`, { type })

export const networkNotFound = missing('NetworkNotFound', 'Network')
export const subnetNotFound = missing('SubnetNotFound', 'Subnet')
export const portNotFound = missing('PortNotFound', 'Port')
export const routerNotFound = missing('RouterNotFound', 'Router')
export const floatingIpNotFound = missing('FloatingIPNotFound', 'Floating IP')
export const agentNotFound = missing('AgentNotFound', 'Agent')
export const extensionNotFound = (alias: string) => notFound(`Extension with alias ${alias} does not exist`, { type: 'HTTPNotFound' })
export const groupNotFound = (id: string) => notFound(`Security group ${id} does not exist`, { type: 'SecurityGroupNotFound' })
export const ruleNotFound = (id: string) => notFound(`Security group rule ${id} does not exist`, { type: 'SecurityGroupRuleNotFound' })
export const tagNotFound = (tag: string) => notFound(`Tag ${tag} could not be found.`, { type: 'TagNotFound' })

/** A value that no rule of a resource allows. */
export const invalidInput = (why: string) => invalid(`Invalid input for operation: ${why}.`, { type: 'InvalidInput' })
export const badRequest = (message: string) => invalid(message, { type: 'HTTPBadRequest' })
export const badAttribute = (name: string, why: string) => badRequest(`Invalid input for ${name}. Reason: ${why}.`)

export const networkInUse = (id: string) =>
  conflict(`Unable to complete operation on network ${id}. There are one or more ports still in use on the network.`, {
    type: 'NetworkInUse',
  })
export const subnetInUse = (id: string, why = 'One or more ports have an IP allocation from this subnet.') =>
  conflict(`Unable to complete operation on subnet ${id}: ${why}`, { type: 'SubnetInUse' })
export const portInUse = (id: string, networkId: string, deviceId: string) =>
  conflict(`Unable to complete operation on port ${id} for network ${networkId}. Port already has an attached device ${deviceId}.`, {
    type: 'PortInUse',
  })
export const servicePortInUse = (id: string, why: string) =>
  conflict(`Port ${id} cannot be deleted directly via the port API: ${why}.`, { type: 'ServicePortInUse' })
export const macInUse = (mac: string, networkId: string) =>
  conflict(`Unable to complete operation for network ${networkId}. The mac address ${mac} is in use.`, { type: 'MacAddressInUse' })
export const addressTaken = (ip: string, subnetId: string) =>
  conflict(`IP address ${ip} already allocated in subnet ${subnetId}`, { type: 'IpAddressAlreadyAllocated' })
export const addressesExhausted = (networkId: string) =>
  conflict(`No more IP addresses available on network ${networkId}.`, { type: 'IpAddressGenerationFailure' })
export const subnetExhausted = (subnetId: string) =>
  conflict(`No more IP addresses available for subnet ${subnetId}.`, { type: 'IpAddressGenerationFailureForSubnet' })
export const addressOutside = (ip: string) =>
  invalid(`IP address ${ip} is not a valid IP for any of the subnets on the specified network.`, { type: 'InvalidIpForNetwork' })
export const addressOutsideSubnet = (ip: string) =>
  invalid(`IP address ${ip} is not a valid IP for the specified subnet.`, { type: 'InvalidIpForSubnet' })
export const overlapping = (cidr: string, networkId: string, other: string, otherCidr: string) =>
  invalidInput(
    `Requested subnet with cidr: ${cidr} for network: ${networkId} overlaps with another subnet. Overlaps with subnet ${other} (CIDR: ${otherCidr})`,
  )

export const groupInUse = (id: string, why = 'in use') => conflict(`Security Group ${id} ${why}.`, { type: 'SecurityGroupInUse' })
export const cannotRemoveDefaultGroup = () =>
  conflict('Insufficient rights for removing default security group.', { type: 'SecurityGroupCannotRemoveDefault' })
export const cannotUpdateDefaultGroup = () =>
  conflict('Updating default security group not allowed.', { type: 'SecurityGroupCannotUpdateDefault' })
export const defaultGroupExists = () => conflict('Default security group already exists.', { type: 'SecurityGroupDefaultAlreadyExists' })
export const ruleExists = (id: string) =>
  conflict(`Security group rule already exists. Rule id is ${id}.`, { type: 'SecurityGroupRuleExists' })
export const ruleInvalid = (type: string, message: string) => invalid(message, { type })

export const routerInUse = (id: string, why = 'still has ports') => conflict(`Router ${id} ${why}.`, { type: 'RouterInUse' })
export const routerInterfaceNotFound = (routerId: string, subnetId: string) =>
  notFound(`Router ${routerId} has no interface on subnet ${subnetId}.`, { type: 'RouterInterfaceNotFoundForSubnet' })
export const portSecurityNeedsNoAddresses = () =>
  conflict('Port Security must be enabled in order to have allowed address pairs on a port.', {
    type: 'AddressPairAndPortSecurityRequired',
  })
export const portSecurityNeedsNoGroups = () =>
  conflict('Port has security group associated. Cannot disable port security or IP address until security group is removed.', {
    type: 'PortSecurityPortHasSecurityGroup',
  })
export const portSecurityAndIpRequired = () =>
  conflict('Port security must be enabled and port must have an IP address in order to use security groups.', {
    type: 'PortSecurityAndIPRequiredForSecurityGroups',
  })
export const quotaExceeded = (resources: string[]) =>
  overQuota(`Quota exceeded for resources: [${resources.map((name) => `'${name}'`).join(', ')}].`, { type: 'OverQuota' })
export const notAuthorized = (action: string) => forbidden(`rule:${action} is disallowed by policy`, { type: 'PolicyNotAuthorized' })
export const externalAttachForbidden = (id: string) =>
  new CloudError('forbidden', `It is not allowed to create an interface on external network ${id}`, {
    type: 'ExternalNetworkAttachForbidden',
  })
