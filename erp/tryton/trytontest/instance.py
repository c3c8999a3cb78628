"""Builds and runs a throw-away Tryton on a PostgreSQL of its own.

usage: instance.py build SEED            makes the seeded cluster in the folder SEED
       instance.py serve SEED PORT       serves a copy of it on 127.0.0.1:PORT

Both print what goes wrong and exit with 1. "serve" ends when its standard
input does, so that no server outlives the process that holds the other end,
however that process dies; it then removes all it made.

PostgreSQL listens on a unix socket only, refuses to run as root (so it runs as
"postgres" then), and does without fsync: what is lost here is only a test.
"""
import fcntl
import glob
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = '/usr/bin/python3'  # Debian's own: it alone sees Debian's packages
MODULES = ['sale', 'account_invoice', 'account_product', 'stock', 'product', 'party']
ADMIN_PASSWORD, SYNC_PASSWORD = os.environ['TRYTON_ADMIN_PASSWORD'], os.environ['TRYTON_SYNC_PASSWORD']


class Instance:
    """One PostgreSQL cluster and the Tryton that works on it, in one folder."""

    def __init__(self, port):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix='trytontest-'))
        self.dir.chmod(0o755)  # user postgres must be able to walk in
        self.data, self.socket = self.dir / 'pg', self.dir / 'sock'
        self.config = self.dir / 'trytond.conf'
        self.config.write_text(
            '[database]\nuri = postgresql:///\n'
            '[web]\nlisten = 127.0.0.1:%s\n'
            '[email]\nuri = smtp://127.0.0.1:9\n'
            '[session]\nmax_attempt_ip_network = 1000000\n' % port)
        self.socket.mkdir()
        if os.getuid() == 0:
            shutil.chown(self.socket, 'postgres', 'postgres')
        self.env = {
            'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C.UTF-8', 'HOME': str(self.dir),
            'PYTHONDONTWRITEBYTECODE': '1', 'PYTHONWARNINGS': 'ignore',
            'PGHOST': str(self.socket), 'PGUSER': 'tryton',
        }
        self.children = []

    def as_owner(self, *command):
        """The command as the cluster's owner."""
        if os.getuid() != 0:
            return list(command)
        return ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', *command]

    def run(self, *command, **env):
        done = subprocess.run(command, cwd='/', env=self.env | env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise SystemExit('%s failed:\n%s' % (' '.join(command), done.stdout[-4000:]))
        return done.stdout

    def spawn(self, *command):
        log = open(self.dir / 'server.log', 'ab')
        child = subprocess.Popen(command, cwd='/', env=self.env, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True)
        self.children.append(child)
        return child

    def start_database(self):
        server = self.spawn(*self.as_owner(pg('postgres'), '-D', str(self.data),
            '-k', str(self.socket), '-c', 'listen_addresses=', '-c', 'fsync=off',
            '-c', 'full_page_writes=off', '-c', 'synchronous_commit=off', '-c', 'jit=off'))
        self.wait(server, lambda: subprocess.run([pg('pg_isready'), '-q'], env=self.env).returncode == 0)

    def start_tryton(self):
        self.spawn(PYTHON, '/usr/bin/trytond', '-c', str(self.config), '-d', 'erp')

    def wait(self, server, ready):
        while not ready():
            if server.poll() is not None:
                raise SystemExit('a server ended at once:\n' + (self.dir / 'server.log').read_text()[-4000:])
            time.sleep(0.1)

    def stop(self):
        for child in reversed(self.children):
            child.send_signal(signal.SIGINT)  # to PostgreSQL: end now, and in good order
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children = []

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def pg(program):
    found = sorted(glob.glob('/usr/lib/postgresql/*/bin/' + program))
    if not found:
        raise SystemExit('PostgreSQL is not installed (no %s)' % program)
    return found[-1]


def build(seed):
    seed.parent.mkdir(parents=True, exist_ok=True)
    with open(seed.parent / 'lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if seed.exists():
            return
        instance = Instance(port=0)
        try:
            fill(instance)
            instance.stop()
            for old in seed.parent.iterdir():  # seeds of earlier scripts and packages
                if old.is_dir():
                    shutil.rmtree(old)
            made = pathlib.Path(str(seed) + '.part')
            instance.run('cp', '-a', str(instance.data), str(made))
            made.rename(seed)
        finally:
            instance.close()


def fill(instance):
    if os.getuid() == 0:
        instance.data.mkdir()
        shutil.chown(instance.data, 'postgres', 'postgres')
    instance.run(*instance.as_owner(pg('initdb'), '-D', str(instance.data), '-U', 'tryton',
        '--auth=trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'))
    instance.start_database()
    instance.run(pg('createdb'), 'erp')
    password = instance.dir / 'admin'
    password.write_text(ADMIN_PASSWORD)
    # Tryton asks the catalogue much; without statistics nested loops make that slow.
    instance.run(PYTHON, '/usr/bin/trytond-admin', '-c', str(instance.config), '-d', 'erp',
        '-u', *MODULES, '--activate-dependencies', '--email', 'admin@example.com', '-p',
        TRYTONPASSFILE=str(password), PGOPTIONS='-c enable_nestloop=off')
    instance.run(PYTHON, str(HERE / 'seed.py'), str(instance.config), SYNC_PASSWORD)
    instance.run(pg('vacuumdb'), '-q', '-z', 'erp')


def serve(seed, port):
    instance = Instance(port)
    try:
        instance.run('cp', '-a', str(seed), str(instance.data))
        instance.start_database()
        instance.start_tryton()
        sys.stdin.buffer.read()
    finally:
        instance.close()


if __name__ == '__main__':
    if os.getpgrp() != os.getpid():
        os.setsid()  # Ctrl-C ends our parent, and that ends us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of every "finally"
    if sys.argv[1] == 'build':
        build(pathlib.Path(sys.argv[2]))
    else:
        serve(pathlib.Path(sys.argv[2]), sys.argv[3])
