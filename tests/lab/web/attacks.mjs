// Every forgery and abuse, each in a little life of its own with its benign twin beside it.
import crypto from 'node:crypto';
import * as jose from 'jose';
import {
	APP,
	Device,
	abused,
	call,
	cc,
	conf,
	ctl,
	current,
	device,
	exchange,
	expect,
	forged,
	login,
	pause,
	person,
	redeem,
	refresh,
	ropc,
	sleep,
	turn_keys,
	wstrust,
} from './people.mjs';
import { FOLK, ISS, MODE, STAFF, W, guid, keys, pub } from './world.mjs';
import { peek } from './book.mjs';
import { openings, services } from './day.mjs';

const now = () => Math.floor(Date.now() / 1000);
const office = () => W.office;
const evil = (n = 6) => `${W.evil}.${n}`;

const few = MODE !== 'http1'; // ciphertext does not shrink: less of it
// A little honest life: three of the staff and two others log in and work
async function life(n = 0, calls = 3) {
	await pause(1200 + n);
	await openings();
	const us = [];
	for (let i = 0; i < 3; i++) {
		const a = APP(i === 2 ? 'files-spa' : 'desk-mail'),
			p = STAFF[(n + i * 5) % STAFF.length];
		const d = new Device(i ? office() : `${W.homes}.${100 + (n % 90)}`, ['edge', 'desktop', 'chrome'][i]);
		us.push({ p, a, d, rs: a.resource, t: await login(d, a, p) });
	}
	if (!few || n < 3) {
		const f = FOLK[n % FOLK.length],
			d = new Device(`${W.homes}.${200 + (n % 50)}`, 'okhttp');
		us.push({ p: f, a: APP('home-mail'), d, rs: 'mail', t: await login(d, APP('home-mail'), f) });
	}
	for (const u of us) await work(u, few ? 1 : calls);
	return us;
}
async function work(u, n = 2) {
	for (let i = 0; i < n; i++) {
		const r = await call(u.d, u.rs, u.t.access_token);
		if (r.status === 401 && u.t.refresh_token) u.t = { ...u.t, ...(await refresh(u.d, u.a, u.t.refresh_token)).json };
	}
}
async function after(us) {
	await pause(150);
	for (const u of us) await work(u, few ? 1 : 2);
	const u = us[1],
		r = await refresh(u.d, u.a, u.t.refresh_token);
	if (r.json?.access_token) {
		u.t = { ...u.t, ...r.json };
		await work(u, 1);
	}
}

// Claims as the issuer's own, for somebody who is not there; a real token of the same kind is the model
function claims(model, p, change = {}) {
	const { body } = peek(model),
		t = now() - 20;
	const out = { ...body };
	if ('uti' in out) out.uti = Buffer.from(guid('u' + Math.random()).slice(0, 16)).toString('base64url');
	Object.assign(out, { jti: crypto.randomBytes(32).toString('base64url'), iat: t, exp: t + body.exp - body.iat });
	if (p) {
		out.sub = p.sub;
		if ('oid' in out) out.oid = p.oid;
		if ('upn' in out) out.upn = p.upn;
		if ('name' in out) out.name = p.name;
	}
	for (const [k, v] of Object.entries(change))
		if (v === undefined) delete out[k];
		else out[k] = v;
	return out;
}
async function sign(payload, key, head = {}) {
	const h = { alg: key.alg, typ: 'at+jwt', kid: key.kid, ...head };
	for (const k of Object.keys(h)) if (h[k] === undefined) delete h[k];
	return new jose.CompactSign(Buffer.from(JSON.stringify(payload)))
		.setProtectedHeader(h)
		.sign(await jose.importJWK(key, h.alg));
}
const raw = (o) => Buffer.from(typeof o === 'string' ? o : JSON.stringify(o)).toString('base64url');

export async function storm_0558() {
	const us = await life(1);
	const k = keys('consumer').first,
		victim = person(STAFF[7].login),
		d = new Device(evil(), 'python');
	await conf(d, 'enterprise');
	const t = forged(await sign(claims(us[0].t.access_token, victim), k), 'enterprise claims signed by the consumer key');
	const f = forged(
		await sign(claims(us[2].t.access_token, victim), keys('consumer').second),
		'enterprise claims signed by the consumer key',
	);
	expect('JWT-01', t, 'key of another issuer', { level: 'critical', from: evil() });
	expect('JWT-16', t, 'accepted though signed by the wrong issuer', { level: 'critical', from: evil() });
	expect('JWT-06', t, 'never issued', { from: evil() });
	await call(d, 'mail', t, { path: '/v1/me/mailFolders/inbox/messages' });
	await pause(4);
	await call(d, 'mail', t, { path: `/v1/users/${victim.upn}/messages?$top=50` });
	await pause(31);
	const r = await exchange(d, APP('broker'), t, 'mail');
	const further = abused(r.json.access_token, 'exchanged for a forged one');
	expect('LED-07', further, 'derived from a forged token', { from: evil() });
	for (const path of ['/v1/me/messages?$top=50', '/v1/me/messages/AAMk7/attachments']) {
		await call(d, 'mail', further, { path });
		await pause(3);
	}
	expect('JWT-01', f, 'key of another issuer, refused', { from: evil() });
	await call(d, 'files', f);
	await after(us);
}

export async function never_issued() {
	const us = await life(2);
	const k = current(),
		victim = STAFF[8],
		d = new Device(evil(9), 'edge');
	const t = forged(await sign(claims(us[0].t.access_token, victim), k), 'right key, never issued');
	expect('JWT-06', t, 'never issued', { from: evil(9) });
	for (const path of ['/v1/me/messages?$top=10', '/v1/me/calendar/events', '/v1/me/mailFolders/inbox/messages']) {
		await call(d, 'mail', t, { path });
		await pause(5);
	}
	const f = forged(
		await sign(claims(us[2].t.access_token, victim), keys('enterprise').second),
		'right key, never issued',
	);
	expect('JWT-06', f, 'never issued', { from: evil(9) });
	await call(d, 'files', f);
	await call(d, 'files', f, { gate: true });
	await after(us);
}

// A forger's day: a real token as model, somebody else's name, his own device
async function forger(n, stack = 'python') {
	const us = await life(n, 2),
		d = new Device(evil(n), stack);
	return {
		us,
		d,
		from: evil(n),
		mail: us[0].t.access_token,
		files: us[2].t.access_token,
		victim: STAFF[(n * 3 + 11) % STAFF.length],
	};
}
async function times() {
	// an honest token for the careless server, and its honest use
	const d = new Device(`${W.lan}.61`, 'firefox'),
		p = STAFF[16];
	const t = await login(d, APP('old-spa'), p, { type: 'id_token token', scope: 'openid profile Time.Read Time.Write' });
	for (let i = 0; i < 2; i++) await call(d, 'times', t.implicit.access_token);
	return { d, p, token: t.implicit.access_token, id: t.implicit.id_token };
}
const swap = (t, parts) => {
	const p = t.split('.');
	return parts.map((x, i) => (x === undefined ? p[i] : x)).join('.');
};

export async function bad_signature() {
	const f = await forger(3),
		h = await times(),
		c = claims(h.token, f.victim);
	const kept = forged(swap(h.token, [undefined, raw(c), undefined]), 'other claims under a real signature');
	const other = forged(
		await sign(c, keys('rogue').rsa, { kid: current().kid }),
		'signed by a key of the forger under the name of a real one',
	);
	const files = forged(
		swap(f.files, [undefined, raw(claims(f.files, f.victim)), undefined]),
		'other claims under a real signature',
	);
	for (const t of [kept, other]) {
		expect('JWT-02', t, 'signature wrong', { level: 'high', from: f.from });
		expect('JWT-16', t, 'accepted all the same', { level: 'critical', from: f.from });
		await call(f.d, 'times', t);
		await pause(7);
		await call(f.d, 'times', t);
	}
	expect('JWT-02', files, 'signature wrong, refused', { from: f.from });
	await call(f.d, 'files', files);
	await after(f.us);
}

export async function alg_none() {
	const f = await forger(4),
		h = await times(),
		c = raw(claims(h.token, f.victim));
	for (const [head, sig, why] of [
		[{ alg: 'none', typ: 'at+jwt' }, '', 'alg none'],
		[{ alg: 'nOnE', typ: 'JWT' }, '', 'alg none in another spelling'],
		[{ alg: W.algs[0], typ: 'at+jwt', kid: current().kid }, '', 'no signature at all'],
	]) {
		const t = forged(`${raw(head)}.${c}.${sig}`, why);
		expect('JWT-03', t, why, { level: 'high', from: f.from });
		await call(f.d, 'times', t);
		await pause(9);
	}
	const t = forged(`${raw({ alg: 'none', typ: 'at+jwt' })}.${raw(claims(f.files, f.victim))}.`, 'alg none');
	expect('JWT-03', t, 'alg none, refused', { from: f.from });
	await call(f.d, 'files', t);
	await after(f.us);
}

export async function alg_confusion() {
	const f = await forger(5),
		h = await times();
	const jwk = pub(current()),
		key = crypto.createPublicKey({ key: jwk, format: 'jwk' });
	const forms = {
		PEM: key.export({ type: 'spki', format: 'pem' }),
		'PEM without its last newline': key.export({ type: 'spki', format: 'pem' }).trimEnd(),
		DER: key.export({ type: 'spki', format: 'der' }),
		JWK: JSON.stringify(jwk),
		modulus: Buffer.from(jwk.n || jwk.x, 'base64url'),
	};
	for (const [form, s] of Object.entries(forms)) {
		const input = `${raw({ alg: 'HS256', typ: 'at+jwt', kid: jwk.kid })}.${raw(claims(h.token, f.victim))}`;
		const t = forged(
			`${input}.${crypto.createHmac('sha256', s).update(input).digest('base64url')}`,
			`HMAC with the public key (${form}) as secret`,
		);
		expect('JWT-03', t, `HMAC with the public key (${form})`, { level: 'high', from: f.from });
		await call(f.d, form === 'DER' ? 'files' : 'times', t);
		await pause(11);
	}
	await after(f.us);
}

export async function embedded_jwk() {
	const f = await forger(7),
		h = await times(),
		k = keys('rogue').ec;
	const t = forged(
		await sign(claims(h.token, f.victim), k, { kid: undefined, jwk: pub({ kty: k.kty, crv: k.crv, x: k.x, y: k.y }) }),
		'verifies only with the key in its own header',
	);
	expect('JWT-03', t, 'key embedded in the token', { level: 'high', from: f.from });
	await call(f.d, 'times', t);
	await pause(3);
	await call(f.d, 'times', t);
	const b = APP('bound'),
		key = keys('dpop'),
		d = new Device(`${W.lan}.88`, 'desktop'),
		tw = await login(d, b, STAFF[6], { dpop: key });
	for (let i = 0; i < 3; i++) await call(d, 'mail', tw.access_token, { scheme: 'DPoP', dpop: key });
	await after(f.us);
}

export async function foreign_jku() {
	const { serve } = await import('./net.mjs');
	const f = await forger(8),
		h = await times(),
		k = keys('rogue').rsa,
		url = `https://${W.keyhost.host}/keys.json`;
	serve('keyhost', (req, res) => {
		res.writeHead(200, { 'Content-Type': 'application/json' });
		res.end(JSON.stringify({ keys: [pub(k)] }));
	});
	await sleep(200);
	for (const name of ['jku', 'x5u']) {
		const t = forged(await sign(claims(h.token, f.victim), k, { [name]: url }), `${name} of a foreign host`);
		expect('JWT-03', t, `${name} of a foreign host${name === 'jku' ? ', fetched by the server' : ''}`, {
			level: 'high',
			from: f.from,
		});
		await call(f.d, 'times', t);
		await pause(6);
	}
	const t = forged(await sign(claims(f.files, f.victim), k, { jku: url }), 'jku of a foreign host');
	expect('JWT-03', t, 'jku of a foreign host, refused', { from: f.from });
	await call(f.d, 'files', t);
	await after(f.us);
}

// The lab's third key is published for an hour, goes, and comes back three days later under a forgery
export async function retired_key() {
	const was = current();
	await turn_keys([name_of(was), 'second', 'last']);
	const f0 = await life(9, 1);
	await pause(3600);
	await turn_keys([name_of(was), 'second']);
	await pause(3 * 86400);
	await ctl('mail', 'cold');
	await ctl('files', 'cold');
	await ctl('times', 'cold');
	const f = await forger(10),
		h = await times();
	const t = forged(
		await sign(claims(h.token, f.victim), keys('enterprise').last),
		'signed by a key that left the set three days ago',
	);
	expect('JWT-04', t, 'retired key, accepted', { level: 'high', from: f.from });
	await call(f.d, 'times', t);
	await pause(8);
	await call(f.d, 'times', t);
	const m = forged(
		await sign(claims(f.mail, f.victim), keys('enterprise').last),
		'signed by a key that left the set three days ago',
	);
	expect('JWT-04', m, 'retired key, refused', { from: f.from });
	await call(f.d, 'mail', m);
	await after(f0);
	await after(f.us);
}
const name_of = (k) => Object.entries(keys('enterprise')).find(([, x]) => x.kid === k.kid)[0];

// Twin: the issuer signs with a key that nobody has fetched yet; the servers ask again and take it
export async function unknown_kid() {
	const f = await forger(11),
		h = await times(),
		rogue = keys('rogue').rsa;
	const t = forged(await sign(claims(h.token, f.victim), rogue), 'kid of no issuer');
	expect('JWT-05', t, 'kid in no set, accepted', { from: f.from });
	await call(f.d, 'times', t);
	await pause(5);
	const m = forged(await sign(claims(f.mail, f.victim), rogue), 'kid of no issuer');
	expect('JWT-05', m, 'kid in no set, refused after asking again', { from: f.from });
	await call(f.d, 'mail', m);
	await pause(400);
	const was = name_of(current()),
		to = was === 'last' ? 'next' : 'last';
	await turn_keys([to, 'second', was]);
	for (const u of f.us.slice(0, 2)) {
		u.t = { ...u.t, ...(await refresh(u.d, u.a, u.t.refresh_token)).json };
		await work(u, 2);
	}
	await after(f.us);
}

export async function iat_before_key() {
	const old = await life(12, 1);
	await pause(7200);
	const was = name_of(current()),
		to = was === 'last' ? 'next' : 'last';
	await turn_keys([to, 'second', was]);
	const f = await forger(13),
		h = await times(),
		t0 = now() - 6 * 3600;
	const c = claims(h.token, f.victim, { iat: t0, exp: t0 + 28800 });
	const t = forged(await sign(c, current()), 'issued, it says, hours before its key was first published');
	expect('JWT-14', t, 'iat before the key', { from: f.from });
	await call(f.d, 'times', t);
	await pause(4);
	await call(f.d, 'times', t);
	await after(old);
	await after(f.us);
}

export async function long_lifetime() {
	const f = await forger(14);
	const t = forged(
		await sign(claims(f.mail, f.victim, { exp: now() + 10 * 365 * 86400 }), current()),
		'valid for ten years',
	);
	expect('JWT-08', t, 'lifetime of ten years', { from: f.from });
	await call(f.d, 'mail', t);
	await pause(7000);
	await call(f.d, 'mail', t);
	await after(f.us);
}

export async function template_break() {
	const f = await forger(15, 'desktop'),
		c = claims(f.mail, f.victim),
		{ iss, aud, sub, exp, iat, ...rest } = c;
	const poor = forged(
		await sign({ iss, aud, sub, iat, exp, scope: 'Mail.Read Mail.Send' }, current(), { typ: 'JWT' }),
		'right key, claims of a template of its own',
	);
	const odd = forged(
		await sign({ ...rest, ver: 2, sub, iss, aud: [aud], iat, exp, groups: ['admins'] }, current()),
		'right key, types and order differ',
	);
	for (const t of [poor, odd]) {
		expect('JWT-07', t, 'not the template of the issuer', { from: f.from });
		await call(f.d, 'mail', t);
		await pause(5);
		await call(f.d, 'mail', t);
	}
	await after(f.us);
}

export async function claim_mismatch() {
	const f = await forger(16),
		h = await times(),
		u = f.us[1];
	const tid = forged(
		await sign(claims(f.mail, f.victim, { tid: guid('somebody else') }), current()),
		'tid of another tenant than iss',
	);
	expect('JWT-09', tid, 'iss and tid disagree', { from: f.from });
	await call(f.d, 'mail', tid);
	const iss = forged(
		await sign(claims(h.token, f.victim, { iss: ISS.consumer }), current()),
		'iss of the consumer issuer, key of the enterprise',
	);
	expect('JWT-01', iss, 'key of another issuer, the other way round', { from: f.from });
	await call(f.d, 'times', iss);
	await pause(20);
	const wrong = abused(u.t.access_token, 'stolen; for mail, shown to another server', f.from);
	expect('JWT-09', wrong, 'aud is not the server that took it', { from: f.from });
	for (let i = 0; i < 3; i++) await call(f.d, 'times', wrong);
	const id = abused(h.id, 'an ID token used as an access token', f.from);
	expect('JWT-09', id, 'ID token as access token', { from: f.from });
	await call(f.d, 'times', id);
	await after(f.us);
}

export async function expired_accepted() {
	const f = await forger(17),
		h = await times();
	await pause(9 * 3600);
	const t = abused(h.token, 'expired an hour ago', f.from);
	expect('JWT-10', t, 'expired and accepted', { from: f.from });
	for (let i = 0; i < 3; i++) {
		await call(f.d, 'times', t);
		await pause(40);
	}
	const early = forged(
		await sign(claims(h.token, f.victim, { nbf: now() + 7200, iat: now() + 7200, exp: now() + 36000 }), current()),
		'not valid for two more hours',
	);
	expect('JWT-10', early, 'premature and accepted', { from: f.from });
	await call(f.d, 'times', early);
	for (const u of f.us) {
		const r = await call(u.d, u.rs, u.t.access_token);
		if (r.status === 401) {
			u.t = { ...u.t, ...(await refresh(u.d, u.a, u.t.refresh_token)).json };
			await work(u, 1);
		}
	}
}

export async function replay_elsewhere() {
	const f = await forger(18),
		u = f.us[1],
		roam = f.us[0];
	await pause(300);
	abused(u.t.access_token, 'stolen, used from elsewhere by another program', f.from);
	expect('JWT-11', u.t.access_token, 'same token, other network and program', { from: f.from });
	for (const path of [
		'/v1/me/messages?$top=200',
		'/v1/me/mailFolders/inbox/messages',
		'/v1/me/messages/AAMk7/attachments',
	]) {
		await call(f.d, 'mail', u.t.access_token, { path });
		await pause(12);
		await work(u, 1);
	}
	roam.d.move(`${W.mobile}.${77}`);
	await work(roam, 2);
	await after(f.us);
}

export async function refresh_reuse() {
	const f = await forger(19),
		u = f.us[1],
		w = f.us[2];
	const stolen = u.t.refresh_token;
	await pause(900);
	u.t = { ...u.t, ...(await refresh(u.d, u.a, stolen)).json };
	await work(u, 2);
	await pause(700);
	abused(stolen, 'stolen, used after its owner had rotated it', f.from);
	expect('JWT-12', stolen, 'rotated refresh token used again', { from: f.from });
	await refresh(f.d, u.a, stolen);
	await pause(30);
	await work(u, 1);
	// the other way round: the thief is first, the owner is refused
	const first = w.t.refresh_token;
	abused(first, 'stolen, used before its owner', f.from);
	const r = await refresh(f.d, w.a, first);
	abused(r.json.access_token, 'got with a stolen refresh token', f.from);
	abused(r.json.refresh_token, 'got with a stolen refresh token', f.from);
	await call(f.d, 'files', r.json.access_token);
	await pause(600);
	expect('JWT-12', first, 'rotated refresh token used again, by the owner', { from: w.d.from });
	await refresh(w.d, w.a, first);
	const x = f.us[0],
		old = x.t.refresh_token; // twin: a race within a second
	await Promise.all([refresh(x.d, x.a, old), refresh(x.d, x.a, old)]);
	x.t = await login(x.d, x.a, x.p);
	w.t = await login(w.d, w.a, w.p);
	u.t = await login(u.d, u.a, u.p);
	await after(f.us);
}

export async function code_reuse() {
	const f = await forger(20),
		p = STAFF[12],
		a = APP('desk-mail'),
		d = new Device(office(), 'edge');
	const l = await login(d, a, p);
	await call(d, 'mail', l.access_token);
	await pause(50);
	abused(l.code, 'read from a log, redeemed again', f.from);
	expect('JWT-12', l.code, 'authorization code redeemed twice', { from: f.from });
	await redeem(f.d, a, l.code, l.verifier);
	await pause(20);
	await call(d, 'mail', l.access_token);
	const twin = await login(d, a, p, { noRedeem: true });
	await redeem(d, a, twin.code, twin.verifier);
	await sleep(250);
	await redeem(d, a, twin.code, twin.verifier);
	await after(f.us);
}

export async function binding_break() {
	const f = await forger(21),
		key = keys('dpop'),
		a = APP('bound'),
		d = new Device(`${W.lan}.88`, 'desktop'),
		p = STAFF[6];
	const t = await login(d, a, p, { dpop: key });
	for (let i = 0; i < 3; i++) await call(d, 'mail', t.access_token, { scheme: 'DPoP', dpop: key });
	abused(t.access_token, 'bound by DPoP, shown as plain Bearer', f.from);
	expect('JWT-13', t.access_token, 'DPoP-bound token as Bearer, accepted', { level: 'high', from: f.from });
	await call(f.d, 'mail', t.access_token);
	await pause(5);
	await call(f.d, 'mail', t.access_token);
	await call(f.d, 'mail', t.access_token, { scheme: 'DPoP', dpop: { ...keys('rogue').ec } });
	const m = new Device(`${W.lan}.205`, 'go', { cert: 'batch' }),
		r = await cc(m, APP('batch'), 'mail'),
		s = await cc(m, APP('batch'), 'files');
	await call(m, 'mail', r.json.access_token);
	await call(m, 'files', s.json.access_token);
	abused(r.json.access_token, 'bound to a certificate, shown without', f.from);
	abused(s.json.access_token, 'bound to a certificate, shown without', f.from);
	expect('JWT-13', r.json.access_token, 'certificate-bound token without the certificate, accepted', {
		level: 'high',
		from: f.from,
	});
	expect('JWT-13', s.json.access_token, 'certificate-bound token without the certificate, refused', { from: f.from });
	await call(f.d, 'mail', r.json.access_token);
	await call(f.d, 'files', s.json.access_token);
	await after(f.us);
}

export async function jwks_drift() {
	const us = await life(22),
		d = new Device(evil(22), 'python'),
		rogue = keys('rogue').rsa;
	await pause(1000);
	await ctl('enterprise', 'poison', { to: W.mail.addr, key: pub(rogue) });
	await ctl('mail', 'cold');
	expect('JWT-15', null, 'a key that one answer alone holds', { from: W.mail.addr });
	await work(us[0], 1);
	await ctl('files', 'cold');
	await work(us[2], 1);
	const t = forged(
		await sign(claims(us[0].t.access_token, STAFF[3]), rogue),
		'signed by a key slipped into one answer',
	);
	expect('JWT-05', t, 'kid only in the poisoned answer, accepted', { from: evil(22) });
	await call(d, 'mail', t);
	await pause(4);
	await call(d, 'mail', t);
	await ctl('mail', 'cold');
	await after(us);
}

export async function app_power_jump() {
	const us = await life(23),
		a = APP('pilot'),
		m = new Device(`${W.lan}.206`, 'python');
	const t1 = await cc(m, a, 'mail');
	await call(m, 'mail', t1.json.access_token, { path: '/v1/users/pilot/sendMail' });
	await pause(1800);
	const old = a.roles.mail;
	await ctl('enterprise', 'roles', { app: 'pilot', roles: ['full_access_as_app', 'Directory.ReadWrite.All', ...old] });
	const r = await cc(m, a, 'mail');
	abused(r.json.access_token, 'the application got roles that it never had');
	expect('OAU-10', r.json.access_token, 'full_access_as_app for an application that never had it', {
		client: a.id,
		from: m.from,
	});
	for (let i = 0; i < 3; i++)
		await call(m, 'mail', r.json.access_token, { path: `/v1/users/${STAFF[i].upn}/messages` });
	await ctl('enterprise', 'roles', { app: 'pilot' });
	await after(us);
}

export async function app_sweep() {
	const us = await life(24),
		d = new Device(evil(24), 'go'),
		arch = new Device(`${W.lan}.203`, 'go');
	const b = (await cc(arch, APP('archiver'), 'mail')).json.access_token; // twin: what it does every day
	for (let i = 0; i < 16; i++)
		await call(arch, 'mail', b, { path: `/v1/users/${STAFF[i].upn}/messages?$filter=archive` });
	const a = APP('pilot');
	await ctl('enterprise', 'roles', { app: 'pilot', roles: ['Mail.Send', 'Mail.Read.All'] });
	const r = await cc(d, a, 'mail');
	abused(r.json.access_token, 'an application reads every mailbox');
	expect('OAU-12', r.json.access_token, 'one application, many mailboxes within an hour', {
		client: a.id,
		from: evil(24),
	});
	for (let i = 0; i < 26; i++) {
		await call(d, 'mail', r.json.access_token, { path: `/v1/users/${STAFF[i].upn}/messages?$top=500` });
		if (i % 3 === 0) await pause(20);
	}
	for (let i = 0; i < 20; i++)
		await call(d, 'mail', r.json.access_token, { path: `/v1/users/box${i}@${W.staff_domain}/messages?$top=500` });
	await ctl('enterprise', 'roles', { app: 'pilot' });
	await after(us);
}

export async function new_credential() {
	const us = await life(25),
		a = APP('payroll'),
		m = new Device(`${W.lan}.202`, 'python'),
		d = new Device(evil(25), 'curl');
	const t = await cc(m, a, 'times');
	for (let i = 0; i < 2; i++) await call(m, 'times', t.json.access_token);
	await pause(3000);
	await ctl('enterprise', 'auth', { app: 'payroll', method: 'client_secret_post' });
	const r = await cc(d, a, 'mail', { how: 'client_secret_post' });
	abused(r.json.access_token, 'got with a secret by an application that always signed');
	expect('OAU-13', r.json.access_token, 'a secret where there was a signed assertion', {
		client: a.id,
		from: evil(25),
	});
	await call(d, 'mail', r.json.access_token, { path: `/v1/users/${STAFF[2].upn}/messages` });
	await ctl('enterprise', 'auth', { app: 'payroll' });
	await after(us);
}

export async function consent_phish() {
	const us = await life(26),
		a = APP('notes-helper'),
		d = new Device(evil(26), 'node');
	expect('OAU-14', null, 'many people consent to an application nobody knows, tokens go elsewhere', {
		client: a.id,
		from: evil(26),
	});
	for (const p of STAFF.slice(9, 14)) {
		const b = new Device(office(), 'chrome');
		const l = await login(b, a, p, {
			prompt: 'consent',
			noRedeem: true,
			scope: 'openid profile offline_access Mail.Read Mail.Send',
		});
		await pause(3);
		const r = await redeem(d, a, l.code, l.verifier);
		abused(r.json.access_token, 'consent was phished');
		abused(r.json.refresh_token, 'consent was phished');
		await call(d, 'mail', r.json.access_token, { path: '/v1/me/messages?$top=500' });
		await pause(240);
	}
	await after(us);
}

export async function device_phish() {
	const us = await life(27),
		a = APP('desk-mail'),
		d = new Device(evil(27), 'python');
	await device(new Device(`${W.lan}.151`, 'go'), APP('kiosk'), new Device(office(), 'chrome'), STAFF[20]); // twin
	for (const p of [STAFF[14], STAFF[15], STAFF[18]]) {
		const t = await device(d, a, new Device(office(), 'chrome'), p, { polls: 6 });
		abused(t.access_token, 'device code typed in by a victim', d.from);
		abused(t.refresh_token, 'device code typed in by a victim', d.from);
		expect('OAU-15', t.access_token, 'device code asked for at one place, confirmed at another', { from: d.from });
		await call(d, 'mail', t.access_token, { path: '/v1/me/messages?$top=500' });
		await pause(400);
	}
	await after(us);
}

export async function ropc_new_client() {
	const us = await life(28),
		s = new Device(`${W.lan}.210`, 'python'),
		d = new Device(evil(28), 'curl');
	const t = await ropc(s, APP('sync'), STAFF[24]);
	await call(s, 'files', t.json.access_token);
	await pause(600);
	const r = await ropc(d, APP('shell'), STAFF[19]);
	abused(r.json.access_token, 'password grant by a client that never used it', d.from);
	expect('OAU-01', r.json.access_token, 'password grant, unknown client', { client: APP('shell').id, from: d.from });
	await call(d, 'mail', r.json.access_token);
	await call(d, 'mail', r.json.access_token);
	await after(us);
}

// Spraying: few tries each, many names; the weak one is found and used
const victims = () =>
	[...STAFF]
		.filter((p) => p !== STAFF[W.weak])
		.slice(0, 20)
		.toSpliced(13, 0, STAFF[W.weak]);
async function loot(d, a, t, why) {
	abused(t.access_token, why, d.from);
	if (t.refresh_token) abused(t.refresh_token, why, d.from);
	await call(d, 'mail', t.access_token, { path: '/v1/me/messages?$top=200' });
}

export async function spray_fast() {
	const us = await life(29),
		d = new Device(evil(29), 'python'),
		a = APP('scanner');
	expect('SPR-1', null, 'one source, many names, one password each', { from: d.from });
	for (const p of [...victims(), ...['admin', 'info', 'backup', 'test'].map((x) => `${x}@${W.staff_domain}`)]) {
		const r = await ropc(d, a, p, W.weak_password);
		if (r.status === 200) {
			expect('SPR-12', r.json.access_token, 'right password found by spraying', { level: 'critical', from: d.from });
			await loot(d, a, r.json, 'password found by spraying');
		}
		await pause(2);
	}
	await ropc(new Device(`${W.lan}.209`, 'java'), a, STAFF[9], 'Old-password-1');
	await after(us);
}

export async function spray_slow() {
	const us = await life(30, 1),
		a = APP('desk-mail');
	expect('SPR-2', null, 'one source, one name an hour, by the login form', { from: evil(30) });
	for (const p of victims()) {
		const d = new Device(evil(30), 'firefox');
		const t = await login(d, a, p, { typos: [W.weak_password], give_up: true });
		if (t.access_token) {
			expect('SPR-12', t.access_token, 'right password found by spraying', { level: 'critical', from: d.from });
			await loot(d, a, t, 'password found by spraying');
		}
		await pause(2700);
	}
	await login(new Device(office(), 'chrome'), a, STAFF[23], { typos: ['Oops-1', 'Oops-2'] });
	for (const u of us) {
		const r = await refresh(u.d, u.a, u.t.refresh_token);
		u.t = { ...u.t, ...r.json };
		await work(u, 1);
	}
}

export async function spray_wstrust() {
	const us = await life(31),
		d = new Device(evil(31), 'curl'),
		found = STAFF[W.weak];
	expect('SPR-1', null, 'one source, many names, WS-Trust', { from: d.from });
	expect('SPR-10', null, 'the same source fails by WS-Trust and by the password grant', { from: d.from });
	for (const p of victims()) {
		await wstrust(d, p.upn, W.weak_password);
		await pause(3);
	}
	for (const p of victims().slice(0, 12)) {
		if (p !== found) await ropc(d, APP('scanner'), p, 'Spring-2026!');
		await pause(3);
	}
	await wstrust(new Device(`${W.lan}.211`, 'desktop'), STAFF[25].upn, STAFF[25].password);
	expect('SPR-12', null, 'right password found by spraying', { level: 'critical', from: d.from });
	const r = await ropc(d, APP('scanner'), found);
	await loot(d, null, r.json, 'password found by spraying');
	await after(us);
}

export async function spray_spread() {
	const us = await life(32),
		a = APP('scanner');
	let i = 0;
	expect('SPR-11', null, 'many sources, one program, a name each', { from: `${W.spray}.0/24` });
	for (const p of victims()) {
		const d = new Device(`${W.spray}.${10 + 7 * i++}`, 'go', { ua: 'axios/0.21.1' });
		const r = await ropc(d, a, p, W.weak_password);
		if (r.status === 200) {
			expect('SPR-12', r.json.access_token, 'right password found by spraying', { level: 'critical', from: d.from });
			await loot(d, a, r.json, 'password found by spraying');
		}
		await pause(1200 + (i % 5) * 60);
	}
	for (const u of us) {
		const r = await refresh(u.d, u.a, u.t.refresh_token);
		u.t = { ...u.t, ...r.json };
		await work(u, 1);
	}
}

// Forty days of silence, then from another network: the last of the calendar
export async function dormant_app() {
	const us = await life(33, 1),
		a = APP('old-tool'),
		m = new Device(`${W.lan}.230`, 'java'),
		d = new Device(evil(33), 'python');
	const t = await cc(m, a, 'mail');
	await call(m, 'mail', t.json.access_token, { path: '/v1/users/list' });
	for (const u of us) await work(u, 1);
	await pause(20 * 86400);
	await life(34, 1);
	await services(1);
	await pause(22 * 86400);
	const l = await life(35, 1);
	const r = await cc(d, a, 'mail');
	abused(r.json.access_token, 'an application silent for weeks, from another network');
	expect('OAU-11', r.json.access_token, 'dormant application wakes', { client: a.id, from: d.from });
	for (let i = 0; i < 3; i++)
		await call(d, 'mail', r.json.access_token, { path: `/v1/users/${STAFF[i + 4].upn}/messages` });
	await after(l);
}
