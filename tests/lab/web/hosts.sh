# The web lab's hosts: a network namespace each on a bridge that is the SPAN port; the street, where all clients
# live, stands where a router would and has every address outside. Sourced by run.
HOSTS="consumer enterprise mail files times albums ledger portal gate"
PFX=$(world prefix)
NET=$(world net) NET6=$(world net6)

# on HOST CMD...: in a host's network, under the lab's names and clock, from LAB/app
on() {
	local h=$1; shift
	ip netns exec "$PFX-$h" sh -c 'mount --bind "$MW_LAB/hosts" /etc/hosts; cd "$MW_LAB/app"; exec "$@"' \
		on env LD_PRELOAD="$FAKETIME" FAKETIME_TIMESTAMP_FILE="$LAB/clock" FAKETIME_NO_CACHE=1 \
		FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 PATH="$NODE_DIR/node_modules/node/bin:$PATH" "$@"
}
node() { (cd "$LAB/app" && "$NODE_DIR/node_modules/node/bin/node" "$@"); }

wait_for() { # wait_for SECONDS CMD...
	local n=$(( $1 * 5 )) i; shift
	for ((i = 0; i < n; i++)); do "$@" >/dev/null 2>&1 && return 0; sleep 0.2; done
	echo "gave up waiting for: $*" >&2; return 1
}

daemon() { # daemon HOST NAME CMD...: in the background, a session of its own; its pid is written by itself
	local h=$1 n=$2; shift 2
	on "$h" setsid sh -c 'echo $$ >"$0"; exec "$@"' "$LAB/pid/$n.pid" "$@" </dev/null >>"$LAB/log/$n" 2>&1 &
	disown
}

host_up() { # host_up NAME ADDRESS
	local ns=$PFX-$1 n=${2##*.} i
	ip netns add "$ns"
	ip link add "w$n" netns "$PFX-span" type veth peer name eth0 netns "$ns"
	ip -n "$PFX-span" link set "w$n" master br0 up
	ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.eth0.accept_dad=0 net.ipv6.conf.eth0.router_solicitations=0 net.ipv6.ip_nonlocal_bind=1
	for i in lo eth0; do ip -n "$ns" link set "$i" up; done
	ip -n "$ns" addr add "$NET.$n/24" dev eth0
	ip -n "$ns" addr add "$NET6::$n/64" dev eth0 nodad
	ip netns exec "$ns" ethtool -K eth0 tx off rx off tso off gso off gro off sg off >/dev/null 2>&1
	ip netns exec "$PFX-span" ethtool -K "w$n" tx off rx off tso off gso off gro off sg off >/dev/null 2>&1
}

net_up() {
	local h r
	ip netns add "$PFX-span"
	ip -n "$PFX-span" link set lo up
	ip netns exec "$PFX-span" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	ip -n "$PFX-span" link add br0 type bridge mcast_snooping 0 stp_state 0 forward_delay 0
	ip -n "$PFX-span" link set br0 up
	echo "127.0.0.1 localhost" >"$LAB/hosts"
	for h in $HOSTS; do
		host_up "$h" "$(world "$h.addr")"
		ip -n "$PFX-$h" route add default via "$NET.1"
		ip -n "$PFX-$h" -6 route add default via "$NET6::1"
		echo "$(world "$h.addr") $(world "$h.host")" >>"$LAB/hosts"
	done
	host_up street "$NET.1"
	for r in $(world nets); do ip -n "$PFX-street" route add local "$r" dev lo; done
}

net_down() { # ends every daemon by its pid, then removes the namespaces
	local f h
	for f in "$LAB"/pid/*.pid; do
		[ -e "$f" ] || continue
		kill -- -"$(<"$f")" 2>/dev/null || kill "$(<"$f")" 2>/dev/null
	done
	for h in $HOSTS street span; do ip netns del "$PFX-$h" 2>/dev/null; done
	return 0
}

certificates() {
	local h names
	for h in $HOSTS; do names+=",DNS:$(world "$h.host")"; done
	openssl req -x509 $(world certificate) -nodes -days 3650 -subj "/O=Lab/CN=$(world gate.host)" -addext "subjectAltName=${names#,}" \
		-keyout "$LAB/keys/tls.pem" -out "$LAB/keys/cert.pem" 2>/dev/null
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=batch" \
		-keyout "$LAB/keys/batch-key.pem" -out "$LAB/keys/batch-cert.pem" 2>/dev/null
}

servers_up() {
	local h
	: >"$LAB/log/keylog"
	for h in consumer enterprise; do daemon $h $h node idp.mjs $h; done
	for h in mail files times albums ledger; do daemon $h $h node rs.mjs $h; done
	for h in consumer enterprise mail files times albums ledger; do wait_for 15 test -e "$LAB/pid/$h.ready" || return 1; done
	portal_conf >"$LAB/portal.conf"
	gate_conf >"$LAB/gate.conf"
	daemon portal portal env SSLKEYLOGFILE= apache2 -f "$LAB/portal.conf" -DFOREGROUND
	daemon gate gate nginx -c "$LAB/gate.conf"
	wait_for 10 on street bash -c ": </dev/tcp/$(world portal.addr)/$(world portal.port)"
	wait_for 10 on street bash -c ": </dev/tcp/$(world gate.addr)/$( [ "$MW_MODE" = http1 ] && world gate.port || world gate.tls)"
}

portal_conf() { # the relying party
	local m mods=/usr/lib/apache2/modules at id
	mkdir -p "$LAB/www/news"
	for m in index news/0 news/1 news/2 news/3; do echo "<!DOCTYPE html><title>Portal</title><p>$m</p>" >"$LAB/www/$m"; done
	mv "$LAB/www/index" "$LAB/www/index.html"
	at=https://$(world enterprise.host)
	[ "$MW_MODE" = http1 ] && at=http://$(world enterprise.host):$(world enterprise.port)
	for m in mpm_event authn_core authz_core authz_user auth_openidc dir mime; do echo "LoadModule ${m}_module $mods/mod_$m.so"; done
	id=$(node -e "import('./world.mjs').then((w) => { const a = w.APP('portal'); console.log(a.id, w.secret('app portal'), w.ISS.enterprise.replace(/^https:..[^/]*/, '')); })")
	set -- $id
	cat <<-EOF
	ServerName https://$(world portal.host)
	UseCanonicalName On
	Listen $(world portal.port)
	PidFile $LAB/pid/apache
	ErrorLog $LAB/log/portal.error
	User www-data
	Group www-data
	Mutex pthread
	TypesConfig /etc/mime.types
	DefaultRuntimeDir $LAB/www
	DocumentRoot $LAB/www
	DirectoryIndex index.html
	OIDCProviderMetadataURL $at${3:-}/.well-known/openid-configuration
	OIDCClientID $1
	OIDCClientSecret $2
	OIDCRedirectURI https://$(world portal.host)/oidc/cb
	OIDCCryptoPassphrase $2
	OIDCScope "openid profile"
	OIDCPKCEMethod S256
	OIDCSSLValidateServer Off
	OIDCSessionType client-cookie
	OIDCXForwardedHeaders X-Forwarded-Proto X-Forwarded-Host
	<Location />
		AuthType openid-connect
		Require valid-user
	</Location>
	EOF
}

gate_conf() { # ends TLS; behind it HTTP/1.x in clear
	local listen
	case $MW_MODE in
	http1) listen="listen $(world gate.port);" ;;
	tls12) listen="listen $(world gate.tls) ssl; ssl_protocols TLSv1.2;" ;;
	tls13h2) listen="listen $(world gate.tls) ssl http2; ssl_protocols TLSv1.3;" ;;
	esac
	local names="proxy_set_header Host \$host; proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;"
	names+=" proxy_set_header X-Forwarded-Proto https; proxy_set_header X-Forwarded-Host \$host;"
	[ "$MW_MODE" = http1 ] || listen+=" ssl_certificate $LAB/keys/cert.pem; ssl_certificate_key $LAB/keys/tls.pem;"
	cat <<-EOF
	daemon off; pid $LAB/pid/nginx; error_log $LAB/log/gate.error; worker_processes 1; user root;
	events { worker_connections 256; }
	http {
		access_log off;
		client_body_temp_path $LAB/raw/b; proxy_temp_path $LAB/raw/p; fastcgi_temp_path $LAB/raw/f;
		uwsgi_temp_path $LAB/raw/u; scgi_temp_path $LAB/raw/s;
		upstream files { server $(world files.addr):$(world files.port); keepalive 4; keepalive_timeout 300ms; }
		server {
			$listen
			server_name $(world portal.host);
			location / { $names proxy_pass http://$(world portal.addr):$(world portal.port); }
		}
		server {
			$listen
			server_name $(world gate.host);
			location /files/ { $names proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://files/; }
		}
	}
	EOF
}

capture() {
	ip netns exec "$PFX-span" tcpdump -q -Z root -i br0 -s0 -U -B 16384 --immediate-mode -w "$LAB/raw/$1.raw" 2>"$LAB/log/tcpdump" &
	echo $! >"$LAB/pid/capture.pid"
	disown
	wait_for 5 test -s "$LAB/raw/$1.raw"
}
capture_end() {
	sleep 0.5
	kill -INT "$(<"$LAB/pid/capture.pid")"
	sleep 0.3
	rm -f "$LAB/pid/capture.pid"
}
