#!/bin/bash
# A PostgreSQL cluster for the tests: one for each make check, a fresh database
# for each test.
#
#	tests/pg.sh db     print the conninfo of a new database with our schema
#	tests/pg.sh empty  the same without a schema
#	tests/pg.sh stop   stop the cluster of this build tree
#
# The first call starts the cluster, under one temporary directory, on a Unix
# socket only, without fsync, as an unprivileged account when we are root. It
# stops when the make that runs the tests ends. Exit status 77: there is no
# PostgreSQL server here.
set -eu

TOP_BUILDDIR=${TOP_BUILDDIR:-$PWD}
PASTIME=${PASTIME:-$TOP_BUILDDIR/pastime}
state=$TOP_BUILDDIR/tests/pg.state

find_pgbin()
{
	local dir
	for dir in "${PGBIN:-}" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
		[ -x "$dir/initdb" ] && PGBIN=$dir
	done
	[ -x "${PGBIN:-}/initdb" ] || {
		echo "no PostgreSQL server programs here" >&2
		exit 77
	}
}

# The outermost make above us; without one, the outermost process there is.
owner()
{
	local pid=$PPID make='' last=$PPID name
	while [ "$pid" -gt 1 ] && [ -r "/proc/$pid/stat" ]; do
		last=$pid
		read -r name <"/proc/$pid/comm"
		[ "$name" != make ] || make=$pid
		pid=$(awk '{ sub(/.*\) /, ""); print $2 }' "/proc/$pid/stat")
	done
	echo "${make:-$last}"
}

# Run as the account that owns the cluster.
as_account()
{
	if [ "$(id -u)" -ne 0 ]; then
		"$@"
		return
	fi
	local account=nobody
	! id postgres >/dev/null 2>&1 || account=postgres
	setpriv --reuid="$account" --regid="$(id -g $account)" \
		--clear-groups "$@"
}

start()
{
	local dir
	dir=$(mktemp -d /tmp/pastime-pg.XXXXXX)
	[ "$(id -u)" -ne 0 ] ||
		chown "$(as_account id -u):$(as_account id -g)" "$dir"
	(
		cd /
		as_account env -i PATH="$PATH" LC_ALL=C "$PGBIN/initdb" \
			-D "$dir/data" -U pastime -A trust -E UTF8 --locale=C \
			--no-sync
		as_account env -i PATH="$PATH" LC_ALL=C "$PGBIN/pg_ctl" \
			-D "$dir/data" -l "$dir/log" -w -t 60 -o "-k $dir \
			-c listen_addresses= -c fsync=off \
			-c full_page_writes=off -c synchronous_commit=off \
			-c max_connections=200 -c shared_buffers=64MB \
			-c max_locks_per_transaction=256" start
	) >"$state.log" 2>&1 </dev/null 8>&- || {
		cat "$state.log" >&2
		exit 1
	}
	echo "$dir" >"$state"
	# Nothing of ours may hold a pipe open that make's reader waits for.
	# shellcheck disable=SC2016 # the inner shell expands them
	TOP_BUILDDIR=$TOP_BUILDDIR PGBIN=$PGBIN setsid bash -c '
		tail --pid="$1" -s 0.3 -f /dev/null
		exec bash "$2" stop-dir "$3"' \
		babysitter "$(owner)" "$(readlink -f "$0")" "$dir" \
		>/dev/null 2>&1 </dev/null 8>&- &
}

stop_dir()
{
	local dir=$1
	case $dir in /tmp/pastime-pg.*) ;; *) return ;; esac
	[ -d "$dir" ] || return 0
	(cd / && as_account "$PGBIN/pg_ctl" -D "$dir/data" -m immediate -w \
		stop) >/dev/null 2>&1 || true
	rm -rf "$dir"
}

alive()
{
	[ -s "$state" ] || return 1
	read -r dir <"$state"
	[ -S "$dir/.s.PGSQL.5432" ] &&
		"$PGBIN/pg_isready" -q -h "$dir" -U pastime
}

sql()
{
	env -i PATH="$PATH" PGOPTIONS="-c client_min_messages=warning" \
		"$PGBIN/psql" -qAtX -h "$dir" -U pastime \
		-v ON_ERROR_STOP=1 "$@"
}

# The schema once, by the program itself; every test gets a copy.
template()
{
	[ "$(sql -d postgres -c "select 1 from pg_database
		where datname = 'ready'")" != 1 ] || return 0
	sql -d postgres -c "drop database if exists making" \
		-c "create database making"
	# Any command that opens the store brings the schema; an empty list.
	PASTIME_HOME=$dir/home PASTIME_DB="host=$dir user=pastime dbname=making" \
		PASTIME_FAULT='' "$PASTIME" ls >/dev/null
	sql -d postgres -c "alter database making rename to ready"
}

new_db()
{
	local name
	name=t_$$_$(date +%s%N)
	sql -d postgres -c "create database $name template $1"
	echo "host=$dir user=pastime dbname=$name"
}

find_pgbin
mkdir -p "$TOP_BUILDDIR/tests"
exec 8>"$state.lock"
flock 8
case ${1:-} in
db | empty)
	alive || start
	read -r dir <"$state"
	if [ "$1" = db ]; then
		template
		new_db ready
	else
		new_db template1
	fi
	;;
stop)
	! [ -s "$state" ] || stop_dir "$(cat "$state")"
	rm -f "$state" "$state.log"
	;;
stop-dir)
	stop_dir "$2"
	[ "$(cat "$state" 2>/dev/null)" != "$2" ] ||
		rm -f "$state" "$state.log"
	;;
*)
	echo "usage: pg.sh db|empty|stop" >&2
	exit 2
	;;
esac
