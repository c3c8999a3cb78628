#!/bin/sh
# Installs Tryton and PostgreSQL from Debian's packages. Needs root. No package
# may start a service meanwhile: the tests run their own.
set -eu
exec 9>/var/lock/trytontest-install
flock 9
guard=/usr/sbin/policy-rc.d
if [ ! -e $guard ]; then
	printf '#!/bin/sh\nexit 101\n' >$guard
	chmod 755 $guard
	trap 'rm -f $guard' EXIT
fi
install() {
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
		-o DPkg::Lock::Timeout=600 "$@" </dev/null 9>&-
}
install "$@" || { apt-get update -q 9>&- && install "$@"; }
