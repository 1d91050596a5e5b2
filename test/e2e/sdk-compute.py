"""Every method that the OpenStack SDK has for Compute: `sdk-compute.py MICROVERSION`, with OS_CLIENT_CONFIG_FILE set and two hosts. Ends with 0 when all went well.

Calls go through `Recorder`, which remembers their names; a method that was never called is an error unless `elsewhere` says why.
"""
import inspect
import sys
import time
import warnings

import openstack
from openstack import exceptions, proxy
from openstack.compute.v2._proxy import Proxy
from openstack.compute.v2.quota_set import QuotaSet

warnings.filterwarnings('ignore')
version = sys.argv[1]
minor = 1 if version == 'default' else int(version.split('.')[1])
cloud = openstack.connect(cloud='minicloud', compute_default_microversion=None if version == 'default' else version)
volume = '11111111-1111-4111-8111-111111111111'
elsewhere = {
    'add_floating_ip_to_server': 'until 2.43, with an address that sdk-legacy.py makes first',
    'remove_floating_ip_from_server': 'the same',
    'add_fixed_ip_to_server': 'until 2.43, in sdk-legacy.py',
    'remove_fixed_ip_from_server': 'the same',
}


class Recorder:
    """Compute, with the names of what was called."""

    ran = set()

    def __getattr__(self, name):
        self.ran.add(name)
        return getattr(cloud.compute, name)


compute = Recorder()


def check(condition, what):
    if not condition:
        raise SystemExit(f'{version}: {what}')


def refused(call, *args, **options):
    """What fails, and says why; a fault of the service's own is never right. Told no version, the SDK takes one for some calls, which may then succeed."""
    try:
        answer = call(*args, **options)
        check(version == 'default', f'{call.__name__} was not refused: {list(answer) if inspect.isgenerator(answer) else answer}')
    except exceptions.SDKException as told:
        check((getattr(told, 'status_code', None) or 400) < 500, f'{call.__name__}: {told}')


def until(condition, what):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    check(False, what)


def reaches(status):
    compute.wait_for_server(server, status=status, wait=30, interval=0.05)


# Flavors.
name = f'walk-{minor}-{time.monotonic_ns()}'
project = cloud.current_project_id
flavor = compute.create_flavor(name=name, ram=64, vcpus=1, disk=1, is_public=False)
compute.flavor_add_tenant_access(flavor, project)
check([one['tenant_id'] for one in compute.get_flavor_access(flavor)] == [project], 'flavor access')
compute.flavor_remove_tenant_access(flavor, project)
compute.create_flavor_extra_specs(flavor, {'hw:cpu_policy': 'shared'})
compute.update_flavor_extra_specs_property(flavor, 'hw:cpu_policy', 'dedicated')
check(compute.get_flavor_extra_specs_property(flavor, 'hw:cpu_policy') == 'dedicated', 'one extra spec')
compute.delete_flavor_extra_specs_property(flavor, 'hw:cpu_policy')
check(compute.fetch_flavor_extra_specs(flavor).extra_specs == {}, 'extra specs')
if minor >= 55:
    check(compute.update_flavor(flavor.id, description='said').description == 'said', 'description')
else:
    refused(compute.update_flavor, flavor, description='said')
check(compute.find_flavor(name).id == compute.get_flavor(flavor.id).id, 'one flavor')
compute.delete_flavor(flavor)
names = [one.name for one in compute.flavors(get_extra_specs=True)]
check('m1.nano' in names and name not in names, f'flavors: {names}')
nano, micro = compute.find_flavor('m1.nano'), compute.find_flavor('m1.micro')

# Images, which Compute passes on until 2.36.
image = cloud.image.find_image('tiny')
if minor < 36:
    check(compute.find_image('tiny').id == image.id and compute.get_image(image.id).name == 'tiny', 'one image')
    check('tiny' in [one.name for one in compute.images()], 'images')
else:
    refused(lambda: list(compute.images()))
    refused(compute.find_image, 'tiny', ignore_missing=False)
    refused(compute.get_image, image.id)
for call, args, options in (
    (compute.set_image_metadata, (image.id,), {'colour': 'blue'}),
    (compute.get_image_metadata, (image.id,), {}),
    (compute.delete_image_metadata, (image.id, ['colour']), {}),
):
    if minor < 39:
        call(*args, **options)
    else:
        refused(call, *args, **options)

# Key pairs and groups.
if minor < 92:
    compute.create_keypair(name=name)
    check(compute.find_keypair(name).id == compute.get_keypair(name).id, 'one key pair')
    check(name in [one.name for one in compute.keypairs()], 'key pairs')
    compute.delete_keypair(name)
else:
    refused(compute.create_keypair, name=name)
    check(compute.find_keypair(name) is None and list(compute.keypairs()) == [], 'key pairs')
    refused(compute.get_keypair, name)
    compute.delete_keypair(name)
group = compute.create_server_group(name=name, **({'policies': ['affinity']} if minor < 64 else {'policy': 'affinity'}))
check(compute.find_server_group(name).id == compute.get_server_group(group.id).id, 'one group')
check(group.id in [one.id for one in compute.server_groups()], 'groups')
compute.delete_server_group(group)

# Hosts.
services = [one for one in compute.services(binary='nova-compute')]
check(len(services) == 2, f'services: {services}')
check(compute.find_service('nova-moon') is None, 'a service that is none')
second = next(one for one in services if one.host == 'host1-2')
by = {} if minor >= 53 else {'host': second.host, 'binary': second.binary}
compute.disable_service(second, **by, disabled_reason='mending')
compute.enable_service(second, **by)
if minor >= 53:
    compute.update_service(second, status='enabled')
    refused(compute.delete_service, volume, ignore_missing=False)
else:
    refused(compute.update_service, second, status='enabled')
    refused(compute.delete_service, '9999', ignore_missing=False)
if minor >= 11:
    compute.force_service_down(second, **by)
    compute.update_service_forced_down(second, **by, forced=False)
else:
    refused(compute.force_service_down, second, second.host, second.binary)
    refused(compute.update_service_forced_down, second, second.host, second.binary)
    if version == 'default':
        compute.update_service_forced_down(second, second.host, second.binary, forced=False)
check(len(list(compute.hypervisors(details=True))) == 2, 'hypervisors')
hypervisor = compute.find_hypervisor('host1-2')
check(compute.get_hypervisor(hypervisor.id).name == 'host1-2', 'one hypervisor')
if version != 'default' and minor < 88:
    check('load average' in compute.get_hypervisor_uptime(hypervisor).uptime, 'uptime')
else:
    refused(compute.get_hypervisor_uptime, hypervisor)
aggregate = compute.create_aggregate(name=name, availability_zone='z')
compute.add_host_to_aggregate(aggregate, 'host1-2')
check(compute.set_aggregate_metadata(aggregate, {'ssd': 'true'}).metadata['ssd'] == 'true', 'metadata of an aggregate')
check([one.name for one in compute.availability_zones(details=True) if one.name == 'z'] == ['z'], 'zones')
compute.aggregate_precache_images(aggregate, [image.id])
compute.remove_host_from_aggregate(aggregate, 'host1-2')
compute.update_aggregate(aggregate, name=f'{name}-new')
check(compute.find_aggregate(f'{name}-new').id == compute.get_aggregate(aggregate.id).id, 'one aggregate')
check(aggregate.id in [one.id for one in compute.aggregates()], 'aggregates')
compute.delete_aggregate(aggregate)

# What a project may have, and has.
if minor < 75:
    check(compute.get_quota_set(project).cores == 20, 'quotas')
else:
    # The call comes with a query that Compute refuses from 2.75 on.
    refused(compute.get_quota_set, project)
# The SDK leaves the project out of the path.
refused(compute.get_quota_set_defaults, project)
check(compute.update_quota_set(QuotaSet.existing(project_id=project), cores=7).cores == 7, 'quotas')
compute.revert_quota_set(project)
check(compute.get_limits().absolute.total_cores == 20, 'limits')
list(compute.usages())
compute.get_usage(project)
check(len(list(compute.extensions())) > 90, 'extensions')
check(compute.find_extension('os-agents') is not None, 'one extension')

# A server.
network = cloud.network.find_network('private')
server = compute.create_server(name=name, image_id=image.id, flavor_id=nano.id, networks=[{'uuid': network.id}])
reaches('ACTIVE')
check(compute.find_server(name).id == compute.get_server(server.id).id, 'one server')
check([one.name for one in compute.servers(name=name)] == [name], 'servers')
for action, args, status in (
    ('pause_server', (), 'PAUSED'),
    ('unpause_server', (), 'ACTIVE'),
    ('suspend_server', (), 'SUSPENDED'),
    ('resume_server', (), 'ACTIVE'),
    ('stop_server', (), 'SHUTOFF'),
    ('start_server', (), 'ACTIVE'),
    ('reboot_server', ('HARD',), 'ACTIVE'),
    ('rescue_server', (), 'RESCUE'),
    ('unrescue_server', (), 'ACTIVE'),
    ('resize_server', (micro.id,), 'VERIFY_RESIZE'),
    ('confirm_server_resize', (), 'ACTIVE'),
    ('migrate_server', (), 'VERIFY_RESIZE'),
    ('revert_server_resize', (), 'ACTIVE'),
    ('shelve_server', (), 'SHELVED_OFFLOADED'),
    ('unshelve_server', (), 'ACTIVE'),
    ('rebuild_server', (image.id,), 'ACTIVE'),
    ('reset_server_state', ('error',), 'ERROR'),
    ('reset_server_state', ('active',), 'ACTIVE'),
):
    getattr(compute, action)(server, *args)
    compute.wait_for_server(server, status=status, failures=['none'], wait=30, interval=0.05)
    until(lambda: compute.get_server(server).task_state is None, action)


def at_rest():
    until(lambda: compute.get_server(server).task_state is None, 'still busy')


refused(compute.unpause_server, server)
compute.lock_server(server, **({'locked_reason': 'at rest'} if minor >= 73 else {}))
compute.unlock_server(server)
compute.change_server_password(server, 'secret')
at_rest()
check(compute.get_server_password(server) in ('', None), 'password')
compute.backup_server(server, f'{name}-backup', 'daily', 1)
at_rest()
snapshot = compute.create_server_image(server, f'{name}-image', wait=True, timeout=30)
at_rest()
if minor < 36:
    compute.delete_image(snapshot.id)
else:
    refused(compute.delete_image, snapshot.id, ignore_missing=False)
compute.update_server(server, name=f'{name}-new')
compute.set_server_metadata(server, colour='blue')
check(compute.get_server_metadata(server).metadata == {'colour': 'blue'}, 'metadata')
compute.delete_server_metadata(server, ['colour'])
check('output' in compute.get_server_console_output(server, length=3), 'console output')
check(compute.create_console(server, 'novnc')['url'], 'console')
check(compute.get_server_console_url(server, 'novnc')['url'], 'console address')
if minor >= 6:
    check(compute.create_server_remote_console(server, protocol='vnc', type='novnc').url, 'remote console')
else:
    refused(compute.create_server_remote_console, server, protocol='vnc', type='novnc')
check(compute.get_server_diagnostics(server) is not None, 'diagnostics')
check(compute.fetch_server_security_groups(server).security_groups[0]['name'] == 'default', 'security groups')
default = cloud.network.find_security_group('default', project_id=project)
compute.remove_security_group_from_server(server, default)
compute.add_security_group_to_server(server, default)
check(len(list(compute.server_ips(server))) == 1, 'addresses')
made = compute.create_server_interface(server, net_id=network.id)
check(compute.get_server_interface(made.port_id, server).net_id == network.id, 'one interface')
check(len(list(compute.server_interfaces(server))) == 2, 'interfaces')
compute.delete_server_interface(made.port_id, server)
until(lambda: len(list(compute.server_interfaces(server))) == 1, 'the interface is still there')
# The SDK asks for actions with a query that it refuses itself.
refused(lambda: list(compute.server_actions(server)))
refused(compute.get_server_action, 'req-1', server)
check(list(compute.volume_attachments(server)) == [], 'volumes')
refused(compute.create_volume_attachment, server, volume_id=volume)
refused(compute.get_volume_attachment, volume, server)
refused(compute.update_volume_attachment, volume, server, volume_id=volume)
refused(compute.delete_volume_attachment, volume, server, ignore_missing=False)

# Moves.
home = compute.get_server(server).compute_host
away = 'host1-2' if home == 'host1' else 'host1'
compute.live_migrate_server(server, host=away, **({'block_migration': False, 'force': True} if minor < 25 else {'block_migration': 'auto'}))
refused(lambda: list(compute.server_migrations(server)))


def running():
    asked = cloud.compute.get(f'/servers/{server.id}/migrations', microversion='2.23').json()
    return [one['id'] for one in asked['migrations'] if one['status'] == 'running']


until(running, 'no live migration runs')
check(compute.get_server_migration(running()[0], server).dest_compute == away, 'one migration')
compute.abort_server_migration(running()[0], server)
at_rest()
compute.live_migrate_server(server, host=away, block_migration='auto')
until(running, 'no live migration runs again')
compute.force_complete_server_migration(running()[0], server)
until(lambda: compute.get_server(server).compute_host == away, 'not moved')
at_rest()
check(len(list(compute.migrations())) >= 2, 'migrations')
refused(compute.evacuate_server, server)

compute.delete_server(server, force=True)
compute.wait_for_delete(server, wait=30, interval=0.05)

base = set(dir(proxy.Proxy))
methods = {one for one, _ in inspect.getmembers(Proxy, inspect.isfunction) if not one.startswith('_') and one not in base}
untouched = sorted(methods - Recorder.ran - set(elsewhere))
check(not untouched, f'never called: {untouched}')
check(not set(elsewhere) & Recorder.ran, 'called here after all')
print('done')
