// Every forgery and abuse, each in a little life of its own with its benign twin beside it.
import crypto from 'node:crypto';
import * as jose from 'jose';
import { APP, AUD, Device, abused, assertion, call, cc, conf, ctl, device, discover, exchange, expect, forged, login, me, pause, person, redeem, refresh, rnd, ropc, sha, skip, sleep, token, walk, wstrust } from './people.mjs';
import { FOLK, ISS, STAFF, TENANT, FOLK_TENANT, W, guid, keys, pub, secret } from './world.mjs';
import { book, peek } from './book.mjs';
import { openings, portal, services, webapp } from './day.mjs';

const now = () => Math.floor(Date.now() / 1000);
const office = () => W.office;
const evil = (n = 6) => `${W.evil}.${n}`;

// A little honest life: three of the staff and two others log in and work
async function life(n = 0, calls = 3) {
	await pause(1200 + n);
	await openings();
	const us = [];
	for (let i = 0; i < 3; i++) {
		const a = APP(i === 2 ? 'files-spa' : 'desk-mail'), p = STAFF[(n + i * 5) % STAFF.length];
		const d = new Device(i ? office() : `${W.homes}.${100 + n % 90}`, ['edge', 'desktop', 'chrome'][i]);
		us.push({ p, a, d, rs: a.resource, t: await login(d, a, p) });
	}
	const f = FOLK[n % FOLK.length], d = new Device(`${W.homes}.${200 + n % 50}`, 'okhttp');
	us.push({ p: f, a: APP('home-mail'), d, rs: 'mail', t: await login(d, APP('home-mail'), f) });
	for (const u of us) await work(u, calls);
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
	for (const u of us) await work(u, 2);
	const u = us[1], r = await refresh(u.d, u.a, u.t.refresh_token);
	if (r.json?.access_token) { u.t = { ...u.t, ...r.json }; await work(u, 1); }
}

// Claims as the issuer's own, for somebody who is not there; a real token of the same kind is the model
function claims(model, p, change = {}) {
	const { body } = peek(model), t = now() - 20;
	const out = { ...body };
	if ('uti' in out) out.uti = Buffer.from(guid('u' + Math.random()).slice(0, 16)).toString('base64url');
	Object.assign(out, { jti: crypto.randomBytes(32).toString('base64url'), iat: t, exp: t + body.exp - body.iat });
	if (p) { out.sub = p.sub; if ('oid' in out) out.oid = p.oid; if ('upn' in out) out.upn = p.upn; if ('name' in out) out.name = p.name; }
	for (const [k, v] of Object.entries(change)) if (v === undefined) delete out[k]; else out[k] = v;
	return out;
}
async function sign(payload, key, head = {}) {
	const h = { alg: key.alg, typ: 'at+jwt', kid: key.kid, ...head };
	for (const k of Object.keys(h)) if (h[k] === undefined) delete h[k];
	return new jose.CompactSign(Buffer.from(JSON.stringify(payload))).setProtectedHeader(h).sign(await jose.importJWK(key, h.alg));
}
const raw = (o) => Buffer.from(typeof o === 'string' ? o : JSON.stringify(o)).toString('base64url');
export { raw };

export async function storm_0558() {
	const us = await life(1);
	const k = keys('consumer').first, victim = person(STAFF[7].login), d = new Device(evil(), 'python');
	await conf(d, 'enterprise');
	const t = forged(await sign(claims(us[0].t.access_token, victim), k), 'enterprise claims signed by the consumer key');
	const f = forged(await sign(claims(us[2].t.access_token, victim), keys('consumer').second), 'enterprise claims signed by the consumer key');
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
	for (const path of ['/v1/me/messages?$top=50', '/v1/me/messages/AAMk7/attachments']) { await call(d, 'mail', further, { path }); await pause(3); }
	expect('JWT-01', f, 'key of another issuer, refused', { from: evil() });
	await call(d, 'files', f);
	await after(us);
}

export async function never_issued() {
	const us = await life(2);
	const k = keys('enterprise').next, victim = STAFF[8], d = new Device(evil(9), 'edge');
	const t = forged(await sign(claims(us[0].t.access_token, victim), k), 'right key, never issued');
	expect('JWT-06', t, 'never issued', { from: evil(9) });
	for (const path of ['/v1/me/messages?$top=10', '/v1/me/calendar/events', '/v1/me/mailFolders/inbox/messages']) { await call(d, 'mail', t, { path }); await pause(5); }
	const f = forged(await sign(claims(us[2].t.access_token, victim), keys('enterprise').second), 'right key, never issued');
	expect('JWT-06', f, 'never issued', { from: evil(9) });
	await call(d, 'files', f);
	await after(us);
}
