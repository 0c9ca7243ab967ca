# Hosts of the lab: one network, mount, UTS and process namespace each, on a bridge that is the
# span port. Sourced by run. Everything a host writes lies in a tmpfs of its own and goes with it.

# host table: name, last address octet; host() and addr() read it
HOSTS="$DC:10 $FS:11 $GATE:12 desk1:21 desk2:22 desk3:23 desk4:24 $ROGUE:66"

octet() { local h; for h in $HOSTS; do [ "${h%:*}" = "$1" ] && echo "${h#*:}"; done; }
ip4() { echo "$NET4.$(octet "$1")"; }
ip6() { echo "$NET6::$(octet "$1")"; }

# on HOST CMD...: run a command inside a host
on() {
	local pid; pid=$(<"$LAB/pid/$1"); shift
	nsenter -t "$pid" -m -u -n -p -- "$@"
}

# daemon HOST NAME CMD...: start a daemon inside a host, log in $LAB/log
daemon() {
	local h=$1 name=$2; shift 2
	on "$h" setsid "$@" </dev/null >>"$LAB/log/$h.$name" 2>&1 &
	disown
}

wait_for() { # wait_for SECONDS CMD...: bounded wait until CMD succeeds
	local n=$(( $1 * 4 )) i; shift
	for ((i = 0; i < n; i++)); do "$@" >/dev/null 2>&1 && return 0; sleep 0.25; done
	echo "gave up waiting for: $*" >&2; return 1
}

open_port() { on "$DESK" bash -c ': <"/dev/tcp/$0/$1"' "$1" "$2"; } # seen from a desk

host_files() { # the files every host sees in its /etc
	local d=$LAB/etc/$1 h; mkdir -p "$d"
	{
		echo "127.0.0.1 localhost"
		for h in $HOSTS; do
			local n=${h%:*} dom=$DOMAIN
			[ "$n" = "$GATE" ] && dom=$MIT_DOMAIN
			# desk3 lives on IPv6 alone
			[ "$1" != desk3 ] && echo "$(ip4 "$n") $n.$dom $n"
			[ "$1" = desk3 ] && echo "$(ip6 "$n") $n.$dom $n"
			[ "$n" = "$FS" ] && { [ "$1" = desk3 ] && echo "$(ip6 "$n") $WEB.$DOMAIN $WEB" ||
				echo "$(ip4 "$n") $WEB.$DOMAIN $WEB"; }
		done
	} >"$d/hosts"
	printf 'search %s\nnameserver %s\noptions timeout:1 attempts:1\n' "$DOMAIN" \
		"$([ "$1" = desk3 ] && ip6 "$DC" || ip4 "$DC")" >"$d/resolv.conf"
	local kdc gate
	kdc=$(ip4 "$DC"); gate=$(ip4 "$GATE")
	[ "$1" = desk3 ] && { kdc="[$(ip6 "$DC")]"; gate="[$(ip6 "$GATE")]"; }
	krb5_conf "$kdc" "$gate" >"$d/krb5.conf"
	# the controller forgives a minute of skew, so that a ticket can expire within a lab's life
	[ "$1" = "$DC" ] && krb5_conf "$kdc" "$gate" "	clockskew = 60" >"$d/krb5.conf"
	krb5_conf "$kdc" "$gate" "	udp_preference_limit = 1" >"$d/krb5-tcp.conf"
	# requests of any size by UDP: datagrams in fragments
	krb5_conf "$kdc" "$gate" "	udp_preference_limit = 30000" >"$d/krb5-udp.conf"
	krb5_conf "$kdc" "$gate" "	allow_weak_crypto = true
	permitted_enctypes = arcfour-hmac-md5 aes256-cts
	default_tgs_enctypes = arcfour-hmac-md5
	default_tkt_enctypes = arcfour-hmac-md5" >"$d/krb5-rc4.conf"
}

krb5_conf() { # krb5_conf KDC_ADDRESS MIT_KDC_ADDRESS [EXTRA]
	cat <<-EOF
	[libdefaults]
		default_realm = $REALM
		dns_lookup_kdc = false
		dns_lookup_realm = false
		dns_canonicalize_hostname = false
		rdns = false
		forwardable = true
		renew_lifetime = 2d
	${3:-}
	[realms]
		$REALM = {
			kdc = $1
			kpasswd_server = $1
			admin_server = $1
		}
		$MIT_REALM = {
			kdc = $2
			pkinit_anchors = FILE:$LAB/keys/ca.pem
		}
	[domain_realm]
		.$DOMAIN = $REALM
		.$MIT_DOMAIN = $MIT_REALM
	[capaths]
		$REALM = {
			$MIT_REALM = .
		}
		$MIT_REALM = {
			$REALM = .
		}
	EOF
}

# Runs as pid 1 of a host: private /etc, /var and /run, then sleep; two hours are its life.
HOST_INIT='
set -e
mount -t tmpfs tmpfs "$2/root/$1"
for d in etc var; do
	mkdir -p "$2/root/$1/$d.up" "$2/root/$1/$d.work"
	mount -t overlay overlay \
		-o "lowerdir=/$d,upperdir=$2/root/$1/$d.up,workdir=$2/root/$1/$d.work" /$d
done
mount -t tmpfs tmpfs /run
mkdir -p /run/samba /run/apache2 /run/lock
cp "$2/etc/$1"/* /etc/
rm -f /var/lib/samba/*.tdb /etc/krb5.keytab
hostname "$1"
touch "$2/root/$1.ready"
exec sleep 7200
'

host_up() {
	local h=$1 ns=$PFX-$1 n; n=$(octet "$1")
	ip netns add "$ns"
	ip link add "v$n" netns "$PFX-span" type veth peer name eth0 netns "$ns"
	ip -n "$PFX-span" link set "v$n" master br0 up
	ip -n "$ns" link set lo up
	ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 \
		net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.eth0.accept_dad=0 \
		net.ipv6.conf.eth0.router_solicitations=0
	ip -n "$ns" link set eth0 up
	ip -n "$ns" addr add "$NET4.$n/24" dev eth0
	ip -n "$ns" addr add "$NET6::$n/64" dev eth0 nodad
	offload "$h" off
	host_files "$h"
	mkdir -p "$LAB/root/$h"
	ip netns exec "$ns" unshare -m -u -p -f --kill-child --mount-proc \
		bash -c "$HOST_INIT" init "$h" "$LAB" >>"$LAB/log/$h.init" 2>&1 &
	local up=$!
	disown
	echo $up >"$LAB/pid/$h.outer"
	wait_for 10 test -e "$LAB/root/$h.ready"
	awk '{print $1}' "/proc/$up/task/$up/children" >"$LAB/pid/$h"
}

offload() { # offload HOST on|off: the veth pair of a host
	local h=$1 n; n=$(octet "$1")
	ip netns exec "$PFX-$h" ethtool -K eth0 tx "$2" rx "$2" tso "$2" gso "$2" gro "$2" sg "$2" \
		>/dev/null 2>&1 || true
	ip netns exec "$PFX-span" ethtool -K "v$n" tx "$2" rx "$2" tso "$2" gso "$2" gro "$2" sg "$2" \
		>/dev/null 2>&1 || true
}

net_up() {
	ip netns add "$PFX-span"
	ip -n "$PFX-span" link set lo up
	ip netns exec "$PFX-span" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	ip -n "$PFX-span" link add br0 type bridge mcast_snooping 0 stp_state 0 forward_delay 0
	ip -n "$PFX-span" link set br0 up
	local h; for h in $HOSTS; do host_up "${h%:*}"; done
}

net_down() { # ends every host by its own pid, then removes the namespaces
	local f h
	for f in "$LAB"/pid/*.cap; do [ -e "$f" ] && kill "$(<"$f")" 2>/dev/null; done
	for h in $HOSTS; do
		f=$LAB/pid/${h%:*}.outer
		[ -e "$f" ] && kill -9 "$(<"$f")" 2>/dev/null
		ip netns del "$PFX-${h%:*}" 2>/dev/null
	done
	ip netns del "$PFX-span" 2>/dev/null
	return 0
}
