"""The real `openstack` and `nova` clients, many commands from one process.

A line of standard input is a JSON array, a program and its arguments. Its answer is a line of standard output, a JSON object: `command`, the name by which `openstack`
knows what was asked, `status`, `stdout` and `stderr`. Each command runs in a fork of this process, which has the modules already: it knows nothing of those before it,
and the start of an interpreter is saved. Saved is also most of what clients sleep between two looks.
"""
import contextlib
import getpass
import importlib
import io
import json
import os
import pkgutil
import sys
import time
import warnings

import novaclient.v2.client
import openstackclient.compute.v2
from novaclient import shell as nova_shell
from openstackclient import shell as openstack_shell

longest_sleep = 0.05
late_modules = [
    'cinderclient.v3.client',
    'keystoneclient.v3.client',
    'openstack.connection',
    'openstackclient.api.compute_v2',
    'openstackclient.common.availability_zone',
    'openstackclient.common.extension',
    'openstackclient.common.limits',
    'openstackclient.common.quota',
    'openstackclient.image.client',
    'openstackclient.network.client',
]


class Shell(openstack_shell.OpenStackShell):
    ran = None

    def prepare_to_run_command(self, cmd):
        Shell.ran = cmd.cmd_name
        super().prepare_to_run_command(cmd)


def run_openstack(argv):
    return Shell().run(argv)


def run_nova(argv):
    try:
        return nova_shell.OpenStackComputeShell().main(argv)
    except Exception as error:
        # As the end of novaclient's own main() does.
        print(f'ERROR ({type(error).__name__}): {error}', file=sys.stderr)
        return 1


def answer(program, argv):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = {'openstack': run_openstack, 'nova': run_nova}[program](argv)
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
    return {'command': Shell.ran, 'status': status or 0, 'stdout': out.getvalue(), 'stderr': err.getvalue()}


warnings.filterwarnings('ignore')
# What a command starts (ssh) writes to file descriptor 1, which is kept away from the answers.
answers = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)
sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, longest_sleep))
# Nobody is there to type passwords.
getpass.getpass = lambda *_args, **_options: 'typed'

# What commands import when they need it, and a command without a cloud, for the tables of commands that it leaves behind.
for module in pkgutil.iter_modules(openstackclient.compute.v2.__path__):
    importlib.import_module(f'openstackclient.compute.v2.{module.name}')
for name in late_modules:
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
answer('openstack', ['command', 'list'])

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        program, *argv = json.loads(line)
        sys.stdin = io.StringIO()
        print(json.dumps(answer(program, argv)), file=answers, flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        print(json.dumps({'command': None, 'status': -1, 'stdout': '', 'stderr': 'Traceback: the client has ended'}), file=answers, flush=True)
