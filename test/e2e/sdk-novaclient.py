"""novaclient against a cloud: `sdk-novaclient.py API_VERSION`, with OS_* set. Ends with 0 when all went well."""
import os
import sys
import time
import warnings

from keystoneauth1 import loading, session
from novaclient import api_versions, client, exceptions

warnings.filterwarnings('ignore')
wanted = sys.argv[1]
loader = loading.get_plugin_loader('password')
auth = loader.load_from_options(
    auth_url=os.environ['OS_AUTH_URL'],
    username=os.environ['OS_USERNAME'],
    password=os.environ['OS_PASSWORD'],
    project_name=os.environ['OS_PROJECT_NAME'],
    user_domain_id='default',
    project_domain_id='default',
)
sess = session.Session(auth=auth)
version = api_versions.get_api_version(wanted)
if version.is_latest():
    # What the shell does: the newest version that client and cloud both know.
    version = api_versions.discover_version(client.Client('2', session=sess), version)
nova = client.Client(version, session=sess)
minor = version.ver_minor


def check(condition, what):
    if not condition:
        raise SystemExit(f'{wanted}: {what}')


def wait(server, status):
    for _ in range(300):
        if nova.servers.get(server.id).status == status:
            return
        time.sleep(0.1)
    raise SystemExit(f'{wanted}: not {status}: {nova.servers.get(server.id).status}')


print(f'speaks {version.get_string()}')
image = nova.glance.find_image('tiny')
flavor = nova.flavors.find(name='m1.nano')
network = nova.neutron.find_network('private')
name = f'nova-{minor}'

if minor < 92:
    check(nova.keypairs.create(name).private_key, 'no private key')
    check(name in [key.name for key in nova.keypairs.list()], 'key pair not listed')
server = nova.servers.create(
    name, image, flavor, nics=[{'net-id': network.id}], meta={'role': 'db'}, **({'key_name': name} if minor < 92 else {})
)
wait(server, 'ACTIVE')
check(nova.servers.find(name=name).id == server.id, 'not found by name')
check(nova.servers.list(search_opts={'name': name})[0].id == server.id, 'not listed by name')
for action, status in [
    ('stop', 'SHUTOFF'),
    ('start', 'ACTIVE'),
    ('pause', 'PAUSED'),
    ('unpause', 'ACTIVE'),
    ('suspend', 'SUSPENDED'),
    ('resume', 'ACTIVE'),
    ('reboot', 'ACTIVE'),
]:
    getattr(nova.servers.get(server.id), action)()
    wait(server, status)
try:
    nova.servers.get(server.id).unpause()
    check(False, 'unpaused twice')
except exceptions.Conflict as refused:
    check('Cannot' in str(refused), str(refused))
check(isinstance(nova.servers.get_console_output(server, length=5), str), 'console output')
check(nova.servers.get_vnc_console(server, 'novnc'), 'console')
nova.servers.set_meta(server, {'colour': 'blue'})
nova.servers.delete_meta(server, ['role'])
check(nova.servers.get(server.id).metadata == {'colour': 'blue'}, 'metadata')
if minor >= 26:
    nova.servers.add_tag(server.id, 'blue')
    check(nova.servers.tag_list(server.id) == ['blue'], 'tags')
    nova.servers.delete_all_tags(server.id)
nova.servers.update(server, name=f'{name}-new')
check([zone.zoneName for zone in nova.availability_zones.list(detailed=False)] == ['nova'], 'zones')
check(len(nova.hypervisors.list()) == 1, 'hypervisors')
check(len(nova.services.list()) >= 3, 'services')
check(nova.limits.get().absolute is not None, 'limits')
project = sess.get_project_id()
check(nova.quotas.get(project).instances is not None, 'quotas')
check(nova.quotas.update(project, instances=20).instances == 20, 'quotas not updated')
check(nova.quotas.get(project, detail=True).instances['limit'] == 20, 'quotas in detail')
nova.quotas.delete(project)
check(len(nova.instance_action.list(server.id)) >= 8, 'actions')
check(len(nova.servers.interface_list(server)) == 1, 'interfaces')
check(nova.versions.get_current().version == '2.104', 'versions')
nova.servers.delete(server)
for _ in range(300):
    try:
        nova.servers.get(server.id)
    except exceptions.NotFound:
        break
    time.sleep(0.1)
else:
    check(False, 'still there')
if minor < 92:
    nova.keypairs.delete(name)
print('done')
