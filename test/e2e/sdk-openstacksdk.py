"""The OpenStack SDK against a cloud: `sdk-openstacksdk.py MICROVERSION`, with OS_CLIENT_CONFIG_FILE set. Ends with 0 when all went well."""
import sys
import warnings

import openstack

warnings.filterwarnings('ignore')
version = sys.argv[1]
cloud = openstack.connect(cloud='minicloud', compute_default_microversion=None if version == 'default' else version)
compute = cloud.compute


def check(condition, what):
    if not condition:
        raise SystemExit(f'{version}: {what}')


minor = 1 if version == 'default' else int(version.split('.')[1])
image = compute.find_image('tiny') if minor < 36 else cloud.image.find_image('tiny')
flavor = compute.find_flavor('m1.nano')
network = cloud.network.find_network('private')
check(image and flavor and network, 'image, flavor or network not found')

name = f'sdk-{minor}'
if minor < 92:
    keypair = compute.create_keypair(name=name)
    check(keypair.private_key and keypair.fingerprint, 'no private key')
    check(compute.find_keypair(name).name == name, 'key pair not found')

server = compute.create_server(
    name=name,
    image_id=image.id,
    flavor_id=flavor.id,
    networks=[{'uuid': network.id}],
    metadata={'role': 'db'},
    **({'key_name': name} if minor < 92 else {}),
)
server = compute.wait_for_server(server, wait=60, interval=0.2)
check(server.status == 'ACTIVE', f'not active: {server.status}')
check(compute.find_server(name).id == server.id, 'not found by name')
check(compute.find_server(server.id).name == name, 'not found by id')
shown = compute.get_server(server.id)
check(shown.addresses['private'][0]['addr'], 'no address')
check(name in [one.name for one in compute.servers()], 'not listed')
check(name in [one.name for one in compute.servers(details=False, name=name)], 'not listed by name')
check(name in [one.name for one in compute.servers(limit=1)], 'not listed in pages')


def step(action, status, *args):
    getattr(compute, action)(server, *args)
    reached = compute.wait_for_server(server, status=status, wait=60, interval=0.2)
    check(reached.status == status, f'{action}: {reached.status}')


step('stop_server', 'SHUTOFF')
step('start_server', 'ACTIVE')
step('pause_server', 'PAUSED')
step('unpause_server', 'ACTIVE')
step('suspend_server', 'SUSPENDED')
step('resume_server', 'ACTIVE')
step('reboot_server', 'ACTIVE', 'SOFT')
step('reboot_server', 'ACTIVE', 'HARD')

check('output' in compute.get_server_console_output(server, length=5), 'no console output')
console = compute.create_console(server, console_type='novnc')
check(console['url'].startswith('http://127.0.0.1:'), 'no console')

compute.set_server_metadata(server, colour='blue')
check(compute.get_server_metadata(server).metadata == {'role': 'db', 'colour': 'blue'}, 'metadata not set')
compute.delete_server_metadata(server, ['colour'])
check(compute.get_server_metadata(server).metadata == {'role': 'db'}, 'metadata not deleted')

if minor >= 26:
    server.add_tag(compute, 'blue')
    check(server.fetch_tags(compute).tags == ['blue'], 'tag not added')
    check([one.id for one in compute.servers(tags='blue')] == [server.id], 'not listed by tag')
    server.remove_tag(compute, 'blue')
    check(server.fetch_tags(compute).tags == [], 'tag not removed')

changed = compute.update_server(server, name=f'{name}-new')
check(changed.name == f'{name}-new', 'not renamed')

check([zone.name for zone in compute.availability_zones()] == ['nova'], 'zones')
check(any(zone.hosts for zone in compute.availability_zones(details=True)), 'zones with hosts')
hypervisor = list(compute.hypervisors(details=True))[0]
check(hypervisor.status == 'enabled' and hypervisor.state == 'up', 'hypervisor')
check(compute.get_hypervisor(hypervisor.id).id == hypervisor.id, 'one hypervisor')
check('nova-compute' in [service.binary for service in compute.services()], 'services')
check(compute.get_limits().absolute.total_instances_used >= 1, 'limits')
if minor < 75:
    # From 2.75 on Compute refuses the query that this call comes with.
    check(cloud.get_compute_quotas('admin').instances is not None, 'quotas')
check(len(list(compute.extensions())) > 90, 'extensions')
check(len(list(compute.server_interfaces(server))) == 1, 'interfaces')
check(list(compute.server_ips(server))[0].address, 'ips')
made = compute.create_flavor(name=name, ram=64, vcpus=1, disk=0)
compute.create_flavor_extra_specs(made, {'hw:cpu_policy': 'shared'})
check(compute.fetch_flavor_extra_specs(made).extra_specs == {'hw:cpu_policy': 'shared'}, 'extra specs')
compute.delete_flavor(made)

compute.delete_server(server)
compute.wait_for_delete(server, wait=60, interval=0.2)
check(compute.find_server(server.id) is None, 'still there')
if minor < 92:
    compute.delete_keypair(name)

# The cloud layer, as Ansible's modules use it.
booted = cloud.create_server(name, image=image.id, flavor=flavor.id, network='private', wait=True, auto_ip=False, timeout=60)
check(booted.status == 'ACTIVE' and booted.private_v4, 'cloud layer')
check(cloud.delete_server(name, wait=True, timeout=60), 'cloud layer: delete')
check(cloud.get_server(name) is None, 'cloud layer: still there')
print('done')
