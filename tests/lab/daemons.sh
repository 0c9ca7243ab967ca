# Daemons of the lab: the AD controller, the member server (SMB, HTTP), the MIT realm, the trust
# between both. Sourced by run.

dc_up() {
	on "$DC" rm -f /etc/samba/smb.conf
	on "$DC" samba-tool domain provision --realm="$REALM" --domain="$NETBIOS" \
		--server-role=dc --dns-backend=SAMBA_INTERNAL --adminpass="$ADMIN_PW" \
		--host-name="$DC" --host-ip="$(ip4 "$DC")" --host-ip6="$(ip6 "$DC")" \
		--use-rfc2307 >"$LAB/log/provision" 2>&1
	on "$DC" sed -i -e '/dns forwarder/d' -e '/^\[global\]/a\
	interfaces = lo eth0\
	bind interfaces only = yes\
	server services = -nbt -wrepl -dnsupdate -kcc -drepl\
	disable netbios = yes\
	load printers = no\
	printcap name = /dev/null\
	winbind offline logon = no' /etc/samba/smb.conf
	on "$DC" /usr/bin/python3 "$HERE/populate" accounts >"$LAB/log/populate"
	on "$DC" samba-tool domain exportkeytab "$LAB/keys/dc.keytab" >>"$LAB/log/populate" 2>&1
	chmod 644 "$LAB/keys/dc.keytab"
	daemon "$DC" samba samba --foreground --no-process-group
	wait_for 40 open_port "$(ip4 "$DC")" 88
	wait_for 40 open_port "$(ip4 "$DC")" 445
	wait_for 40 open_port "$(ip4 "$DC")" 389
}

fs_up() {
	on "$FS" bash -c 'mkdir -p /srv/lab /var/lib/samba/private; rm -f /etc/samba/smb.conf' || true
	on "$FS" bash -c 'mkdir -p /run/share && echo "nothing to see" >/run/share/note.txt
		chmod 1777 /run/share; cat >/etc/samba/smb.conf' <<-EOF
	[global]
		workgroup = $NETBIOS
		realm = $REALM
		security = ADS
		kerberos method = secrets only
		interfaces = lo eth0
		bind interfaces only = yes
		disable netbios = yes
		smb ports = 445
		idmap config * : backend = tdb
		idmap config * : range = 10000-19999
		winbind offline logon = no
		winbind max domain connections = 1
		load printers = no
		printcap name = /dev/null
		disable spoolss = yes
	[team]
		path = /run/share
		read only = no
	EOF
	on "$FS" sed -i -e 's/^passwd:.*/passwd: files winbind/' \
		-e 's/^group:.*/group: files winbind/' /etc/nsswitch.conf
	on "$FS" net ads join -U "administrator%$ADMIN_PW" --no-dns-updates >"$LAB/log/join" 2>&1
	local i; for ((i = 0; i < FS_ROT; i++)); do
		on "$FS" net ads changetrustpw >>"$LAB/log/join" 2>&1
	done
	on "$DC" samba-tool domain exportkeytab "$LAB/keys/fs.keytab" \
		--principal="${FS^^}\$" >>"$LAB/log/populate" 2>&1
	on "$DC" samba-tool domain exportkeytab "$LAB/keys/web.keytab" \
		--principal="HTTP/$WEB.$DOMAIN" >>"$LAB/log/populate" 2>&1
	cat "$LAB/keys/fs.keytab" >"$LAB/keys/fs-first.keytab"
	winbind_up
	daemon "$FS" smbd smbd --foreground --no-process-group
	web_up "$FS" "$LAB/keys/web.keytab"
	wait_for 20 open_port "$(ip4 "$FS")" 445
	wait_for 20 open_port "$(ip4 "$FS")" 80
}

winbind_up() { # (re)start winbindd of the member: its own tickets are fresh afterwards
	local p; p=$(on "$FS" cat /run/samba/winbindd.pid 2>/dev/null) &&
		on "$FS" kill "$p" && sleep 0.5
	daemon "$FS" winbindd winbindd --foreground --no-process-group
	wait_for 20 on "$FS" wbinfo -p
	wait_for 20 on "$FS" wbinfo -t
}

web_up() { # web_up HOST KEYTAB: apache with Negotiate
	on "$1" bash -c 'cp "$1" /etc/web.keytab; chown www-data /etc/web.keytab
		mkdir -p /run/www /run/lock/apache2 /run/deleg
		chown www-data /run/deleg; echo fine >/run/www/index.html
		cat >/etc/apache2/lab.conf' web "$2" <<-EOF
	ServerRoot /etc/apache2
	ServerName $1
	PidFile /run/apache2/lab.pid
	Listen 80
	User www-data
	Group www-data
	StartServers 2
	ErrorLog $LAB/log/$1.apache
	LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
	LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
	LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
	LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
	LoadModule auth_gssapi_module /usr/lib/apache2/modules/mod_auth_gssapi.so
	DocumentRoot /run/www
	<Directory />
		AuthType GSSAPI
		AuthName lab
		GssapiCredStore keytab:/etc/web.keytab
		GssapiAllowedMech krb5
		GssapiDelegCcacheDir /run/deleg
		Require valid-user
	</Directory>
	EOF
	daemon "$1" httpd env KRB5_KTNAME=/etc/web.keytab \
		KRB5RCACHETYPE=none apache2 -f /etc/apache2/lab.conf -DFOREGROUND
}

pki() { # certificates of the second realm: its KDC and brina may use PKINIT
	local who oid name
	cd "$LAB/keys" || return 1
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 \
		-subj "/O=Flint/CN=Flint Test Root"
	for who in kdc brina; do
		oid=1.3.6.1.5.2.3.4 name="SEQUENCE:user"
		[ $who = kdc ] && oid=1.3.6.1.5.2.3.5 name="SEQUENCE:tgs"
		cat >$who.cnf <<-EOF
		[ext]
		extendedKeyUsage = $oid
		keyUsage = digitalSignature, keyEncipherment, keyAgreement
		subjectAltName = otherName:1.3.6.1.5.2.2;SEQUENCE:princ
		[princ]
		realm = EXP:0, GeneralString:$MIT_REALM
		name = EXP:1, $name
		[user]
		type = EXP:0, INTEGER:1
		parts = EXP:1, SEQUENCE:user_parts
		[user_parts]
		1 = GeneralString:brina
		[tgs]
		type = EXP:0, INTEGER:2
		parts = EXP:1, SEQUENCE:tgs_parts
		[tgs_parts]
		1 = GeneralString:krbtgt
		2 = GeneralString:$MIT_REALM
		EOF
		openssl req -newkey rsa:2048 -nodes -keyout $who.key -out $who.csr \
			-subj "/O=Flint/CN=$who"
		openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 20 \
			-extfile $who.cnf -extensions ext -out $who.pem
	done
	cd "$HERE" || return 1
}

gate_up() { # the second realm, on MIT krb5
	pki >"$LAB/log/pki" 2>&1
	on "$GATE" bash -c 'mkdir -p /etc/krb5kdc /var/lib/krb5kdc; rm -f /var/lib/krb5kdc/*
		cat >/etc/krb5kdc/kdc.conf' <<-EOF
	[kdcdefaults]
		kdc_ports = 88
		kdc_tcp_ports = 88
	[logging]
		kdc = FILE:$LAB/log/$GATE.kdclog
	[realms]
		$MIT_REALM = {
			database_name = /var/lib/krb5kdc/principal
			key_stash_file = /etc/krb5kdc/stash
			max_life = 10h
			pkinit_identity = FILE:$LAB/keys/kdc.pem,$LAB/keys/kdc.key
			pkinit_anchors = FILE:$LAB/keys/ca.pem
			max_renewable_life = 7d
			default_principal_flags = +preauth
			supported_enctypes = aes256-cts:normal aes128-cts:normal arcfour-hmac:normal
		}
	EOF
	on "$GATE" bash -c '
		export KRB5_KDC_PROFILE=/etc/krb5kdc/kdc.conf
		r=$1 web=$2 ad=$3 trust=$4 user_pw=$5 keys=$6
		kdb5_util create -s -r "$r" -P "stone-$r"
		k() { kadmin.local -r "$r" -q "$*"; }
		k addprinc -pw "$user_pw" brina; k addprinc -pw "$user_pw" corvin
		k addprinc -randkey "HTTP/$web"
		k addprinc -pw "$trust" "krbtgt/$r@$ad"
		k addprinc -pw "$trust" "krbtgt/$ad@$r"
		for i in 1 2 3 4 5; do k cpw -keepold -randkey "krbtgt/$r"; done
		k purgekeys "krbtgt/$r"
		k ktadd -norandkey -k "$keys/gate-web.keytab" "HTTP/$web"
		k ktadd -norandkey -k "$keys/gate.keytab" "krbtgt/$r" "krbtgt/$ad@$r" "HTTP/$web"
		' gate "$MIT_REALM" "$GATE.$MIT_DOMAIN" "$REALM" "$TRUST_PW" "$USER_PW" "$LAB/keys" \
		>"$LAB/log/gate.db" 2>&1
	daemon "$GATE" kdc env KRB5_KDC_PROFILE=/etc/krb5kdc/kdc.conf krb5kdc -r "$MIT_REALM" -n
	web_up "$GATE" "$LAB/keys/gate-web.keytab"
	wait_for 20 open_port "$(ip4 "$GATE")" 88
}
