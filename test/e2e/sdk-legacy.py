"""What older clients do, against a cloud: `sdk-legacy.py COMPUTE_URL`, with OS_* set. Ends with 0 when all went well."""
import sys
import warnings

import openstack

warnings.filterwarnings('ignore')
root = sys.argv[1]


def check(condition, what):
    if not condition:
        raise SystemExit(what)


old = openstack.connect(cloud='minicloud', compute_endpoint_override=f'{root}/v2')
image = old.image.find_image('tiny')
flavor = old.compute.find_flavor('m1.nano')
network = old.network.find_network('private')
server = old.compute.create_server(name='old', image_id=image.id, flavor_id=flavor.id, networks=[{'uuid': network.id}])
server = old.compute.wait_for_server(server, interval=0.2, wait=60)
check([one.name for one in old.compute.servers()] == ['old'], 'the tree under /v2 does not list its server')

at = openstack.connect(cloud='minicloud', compute_default_microversion='2.35').compute
check([pool['name'] for pool in at.get('/os-floating-ip-pools', microversion='2.35').json()['floating_ip_pools']] == ['public'], 'pools')
floating = at.post('/os-floating-ips', json={'pool': 'public'}, microversion='2.35').json()['floating_ip']
at.add_floating_ip_to_server(server, floating['ip'])
shown = [one['addr'] for ones in at.get_server(server.id).addresses.values() for one in ones]
check(floating['ip'] in shown, 'the floating address is not shown')
at.remove_floating_ip_from_server(server, floating['ip'])

at.add_fixed_ip_to_server(server, network.id)
addresses = [one['addr'] for ones in at.get_server(server.id).addresses.values() for one in ones]
check(len(addresses) == 2, f'not two addresses: {addresses}')
at.remove_fixed_ip_from_server(server, addresses[1])
check(len([one for ones in at.get_server(server.id).addresses.values() for one in ones]) == 1, 'the address is still there')

old.compute.delete_server(server)
old.compute.wait_for_delete(server, interval=0.2, wait=60)
print('done')
