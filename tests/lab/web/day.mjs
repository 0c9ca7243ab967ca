// A working day: some six hundred uses of tokens in nine hours, and everything harmless that looks odd.
import {
	APP,
	AUD,
	Device,
	call,
	cc,
	ctl,
	device,
	exchange,
	login,
	me,
	pause,
	person,
	redeem,
	refresh,
	ropc,
	rnd,
	sleep,
	turn_keys,
	walk,
	wstrust,
} from './people.mjs';
import { FOLK, MODE, STAFF, W, derive, keys } from './world.mjs';

let seed = derive('day ' + (process.env.MW_SEED || ''), 4).readUInt32LE();
const rand = (n) => {
	seed = (seed * 1664525 + 1013904223) >>> 0;
	return Math.floor((seed / 4294967296) * n);
};
const pick = (l) => l[rand(l.length)];
const home = (i) => (i % 7 === 3 ? `${W.home6}::${(i + 16).toString(16)}` : `${W.homes}.${20 + i}`);

export const openings = async () => {
	// caches are cold: everybody asks for documents and keys
	for (const rs of ['mail', 'files', 'times', 'albums', 'ledger']) await ctl(rs, 'cold');
};

// Staff with the mail program or a phone: login, calls, refreshes, moving about
async function mailUser(p, i) {
	const phone = i % 3 === 0,
		a = APP('desk-mail');
	const at = phone ? `${W.mobile}.${30 + i}` : i % 2 ? W.office : home(i);
	const d = new Device(at, phone ? 'phone' : i % 4 === 1 ? 'edge' : 'desktop');
	const t = await login(d, a, p, i === 4 ? { typos: ['Wrong-' + i] } : {});
	return { p, a, d, t, rs: 'mail', phone };
}
async function fileUser(p, i) {
	const d = new Device(i % 2 ? `${W.lan}.${10 + i}` : W.office, i % 3 ? 'chrome' : 'firefox');
	const a = APP('files-spa'),
		t = await login(d, a, p, i % 3 === 1 ? { par: true } : {});
	return { p, a, d, t, rs: 'files', gate: i % 2 === 0 };
}
async function oldSpa(p, i) {
	const d = new Device(`${W.lan}.${60 + i}`, 'firefox'),
		a = APP('old-spa');
	const t = await login(d, a, p, {
		type: i % 2 ? 'code id_token' : 'id_token token',
		scope: 'openid profile Time.Read Time.Write',
	});
	return { p, a, d, t: { access_token: t.implicit.access_token || t.access_token }, rs: 'times' };
}
async function folk(p, i) {
	const d = new Device(i % 2 ? home(40 + i) : `${W.mobile}.${90 + i}`, i % 2 ? 'okhttp' : 'chrome');
	if (i % 3 === 2) {
		const a = APP('home-mail');
		return { p, a, d, t: await login(d, a, p), rs: 'mail' };
	}
	const a = APP('album-app');
	return { p, a, d, t: await login(d, a, p), rs: 'albums' };
}

async function work(u, n) {
	if (MODE !== 'http1') n = Math.ceil(n / 2);
	if (u.phone && n > 1)
		await Promise.all([
			call(u.d, u.rs, u.t.access_token),
			call(u.d, u.rs, u.t.access_token),
			call(u.d, u.rs, u.t.access_token),
		]);
	for (let i = 0; i < n; i++) {
		const how =
			u.rs === 'files' && !u.gate && i === 2
				? 'cookie'
				: u.rs === 'times' && i % 4 === 3
					? 'form'
					: u.rs === 'albums' && i % 5 === 4
						? 'query'
						: undefined;
		const r = await call(u.d, u.rs, u.t.access_token, { how, gate: u.gate });
		if (r.status === 401 && u.t.refresh_token) await renew(u);
		if (r.status === 401 && !u.t.refresh_token) throw new Error(`${u.p.login} is refused at ${u.rs}: ${r.text}`);
		if (i % 5 === 2) await sleep(4);
	}
}
async function renew(u) {
	const r = await refresh(u.d, u.a, u.t.refresh_token);
	if (r.status === 200) u.t = { ...u.t, ...r.json };
	else u.t = await login(u.d, u.a, u.p);
}

const browsers = new Map();
const browser = (p, at, stack = 'chrome') => {
	if (!browsers.has(p.login)) browsers.set(p.login, new Device(at, stack));
	return browsers.get(p.login);
};
export async function webapp(p, at, pages = 2, form = false, out = false) {
	const b = browser(p, at);
	await walk(b, `https://${W.ledger.host}/login${form ? '?post=1' : ''}`, p, { form: {} });
	for (let i = 0; i < pages; i++) await b.fetch(`https://${W.ledger.host}/?p=${i + 2}`);
	if (out) {
		const w = await walk(b, `https://${W.ledger.host}/logout`, p, { form: { logout: 'yes' } });
		browsers.delete(p.login);
		return w;
	}
}
export async function portal(p, at, pages = 3, stack = 'firefox') {
	const b = new Device(at, stack);
	await walk(b, `https://${W.portal.host}/`, p);
	for (let i = 0; i < pages; i++) await b.fetch(`https://${W.portal.host}/news/${i}`);
	return b;
}

const machine = (n, stack) => new Device(`${W.lan}.${200 + n}`, stack);
const machines = {};
export async function services(round) {
	machines.reports ||= machine(1, 'java');
	machines.payroll ||= machine(2, 'python');
	machines.archiver ||= machine(3, 'go');
	machines.backup ||= new Device(`${W.homes}.240`, 'curl');
	machines.broker ||= machine(4, 'node');
	machines.batch ||= machine(5, 'go');
	machines.pilot ||= machine(6, 'python');
	machines.batch.cert = 'batch';
	const run = async (name, rs, n, path) => {
		const r = await cc(machines[name], APP(name), rs);
		for (let i = 0; i < n; i++) await call(machines[name], rs, r.json.access_token, { path: path?.(i) });
		return r.json.access_token;
	};
	await run('reports', 'files', 3);
	if (round % 2 === 0) await run('payroll', 'times', 3);
	if (round % 3 === 1) await run('payroll', 'mail', 1, () => '/v1/users/payslips@' + W.staff_domain + '/sendMail');
	if (round % (MODE === 'http1' ? 3 : 6) === 0)
		await run(
			'archiver',
			'mail',
			16,
			(i) => `/v1/users/${STAFF[(i + round) % STAFF.length].upn}/messages?$filter=archive`,
		);
	await run('backup', 'albums', 2);
	await run('pilot', 'files', 2);
	if (round % 2) await run('batch', 'files', 2);
	const b = await run('broker', 'mail', 1, () => '/v1/me/calendar/events');
	return b;
}

// A gateway that acts for its callers: exchanged tokens, and one client's token passed on from another address
async function gateway(u) {
	const g = machines.broker,
		r = await exchange(g, APP('broker'), u.t.access_token, 'files');
	await call(g, 'files', r.json.access_token);
	await call(g, 'files', r.json.access_token);
}

async function bound() {
	const key = keys('dpop'),
		a = APP('bound'),
		d = new Device(`${W.lan}.88`, 'desktop');
	const t = await login(d, a, person(STAFF[6].login), { dpop: key });
	for (let i = 0; i < 4; i++) await call(d, i % 2 ? 'mail' : 'mail', t.access_token, { scheme: 'DPoP', dpop: key });
	const r = await refresh(d, a, t.refresh_token, { dpop: key });
	await call(d, 'mail', r.json.access_token, { scheme: 'DPoP', dpop: key });
}

async function stale(round) {
	// a scanner that knows an old password, one try each ten minutes
	const s = (machines.scanner ||= machine(9, 'java'));
	for (let i = 0; i < 3; i++) {
		await ropc(s, APP('scanner'), STAFF[9], 'Old-password-1');
		await pause(600);
	}
	if (round === 1) await wstrust(s, STAFF[9].upn, 'Old-password-1');
}

export default async function day() {
	await openings();
	const users = [];
	const few = MODE === 'http1' ? 0 : 2; // ciphertext does not shrink
	for (let i = 0; i < 9 - few; i++) {
		users.push(await mailUser(STAFF[i], i));
		await pause(20 + rand(50));
	}
	for (let i = 9; i < 16 - few; i++) {
		users.push(await fileUser(STAFF[i], i));
		await pause(15 + rand(60));
	}
	for (let i = 16; i < 20; i++) users.push(await oldSpa(STAFF[i], i));
	for (let i = 0; i < FOLK.length - few; i++) {
		users.push(await folk(FOLK[i], i));
		await pause(20 + rand(60));
	}
	const files = users.filter((u) => u.rs === 'files');
	for (const u of users) await work(u, 3 + rand(3));
	await services(0);
	await bound();

	// ten in the morning: colleagues at the portal and in the web application
	for (let i = 0; i < 6 - few; i++) {
		await portal(STAFF[(i * 5 + 2) % 26], i % 2 ? W.office : home(i), 2 + rand(3), i % 2 ? 'chrome' : 'firefox');
		await pause(60 + rand(100));
	}
	for (let i = 0; i < 7 - few; i++) {
		await webapp(STAFF[(i * 3 + 1) % 26], i % 3 ? W.office : home(50 + i), 2, i % 3 === 0);
		await pause(50);
	}
	await stale(1);
	await services(1);
	for (const u of users.filter((x) => x.rs === 'mail').slice(1, 4)) {
		await renew(u);
		await u.d.socket(AUD.mail + '/v1/notices', u.t.access_token);
	}

	// the enterprise prepares a new key: it is published, an hour later it signs, at night the old one goes
	await turn_keys(['first', 'second', 'next']);
	for (const u of users) if (u.rs !== 'albums') await work(u, 2);
	await pause(2400);
	await turn_keys(['next', 'second', 'first']);
	for (const u of users) {
		if (u.t.refresh_token && rand(3)) await renew(u);
		await work(u, 3);
	}
	await services(2);

	// phones leave the house: the address changes, the token stays for a while
	for (const u of users.filter((x) => x.phone)) {
		u.d.move(`${W.mobile}.${140 + rand(90)}`);
		await work(u, 2);
		await renew(u);
		await work(u, 1);
	}
	// from the office to the VPN
	for (const u of users.filter((x) => !x.phone).slice(0, 3)) {
		u.d.move(W.vpn);
		await work(u, 1);
		await renew(u);
		await work(u, 2);
	}
	await pause(1500);

	// devices with little to type on; a person who never comes
	await device(new Device(`${W.lan}.150`, 'go'), APP('kiosk'), new Device(W.office, 'chrome'), STAFF[20]).then(
		async (t) => {
			const k = new Device(`${W.lan}.150`, 'go');
			for (let i = 0; i < 4; i++) await call(k, 'files', t.access_token);
		},
	);
	await device(new Device(home(60), 'okhttp'), APP('tv'), new Device(home(60), 'chrome'), FOLK[1], { polls: 6 }).then(
		async (t) => {
			for (let i = 0; i < 3; i++) await call(new Device(home(60), 'okhttp'), 'albums', t.access_token);
		},
	);
	if (!few) await services(3);

	// two windows of one browser refresh at once; the loser asks again, with the new one
	const u = files[1],
		old = u.t.refresh_token;
	const two = await Promise.all([refresh(u.d, u.a, old), refresh(u.d, u.a, old)]);
	const won = two.find((r) => r.status === 200);
	const again = won && (await refresh(u.d, u.a, won.json.refresh_token));
	u.t = again?.status === 200 ? again.json : await login(u.d, u.a, u.p);
	await work(u, 2);
	// an answer was lost: the code is sent once more within a second
	const twice = await login(users[3].d, users[3].a, users[3].p, { noRedeem: true });
	await redeem(users[3].d, users[3].a, twice.code, twice.verifier);
	await sleep(300);
	await redeem(users[3].d, users[3].a, twice.code, twice.verifier);
	users[3].t = await login(users[3].d, users[3].a, users[3].p);

	// people mistype, forget, give up; one comes back with the right one
	for (const i of [21, 22, 23]) {
		await login(new Device(W.office, 'chrome'), APP('desk-mail'), STAFF[i], {
			typos: i === 22 ? ['oops', 'Oops-2'] : ['oops', 'Oops-2', 'Oops-3'],
			give_up: i !== 22,
		});
		await pause(90);
	}
	await login(new Device(home(70), 'chrome'), APP('album-app'), FOLK[4], { typos: ['nope'] });

	// sync with the password grant, as it has done for years
	const s = new Device(`${W.lan}.210`, 'python');
	for (let i = 0; i < 2; i++) {
		const r = await ropc(s, APP('sync'), STAFF[24]);
		await call(s, 'files', r.json.access_token);
		await call(s, 'files', r.json.access_token);
		await pause(900);
	}
	await wstrust(new Device(`${W.lan}.211`, 'desktop'), STAFF[25].upn, STAFF[25].password);
	await stale(2);

	// userinfo with opaque tokens, introspection of something unknown, wrong audience, long-lived tokens
	for (let i = 0; i < 4; i++) {
		const p = STAFF[(i * 4) % 26],
			d = new Device(W.office, 'edge');
		const t = await login(d, APP('desk-mail'), p, { noResource: true });
		await me(d, 'enterprise', t.access_token);
	}
	await call(users[0].d, 'files', users[0].t.access_token);
	await call(files[2].d, 'mail', files[2].t.access_token);
	await call(users[0].d, 'albums', rnd(32));
	await ctl('enterprise', 'ttl', { client: APP('desk-mail').id, ttl: 86400 });
	for (const x of users.slice(0, 3)) {
		await renew(x);
		await work(x, 3);
	}
	await pause(4000);
	await renew(users[1]);
	await gateway(users[1]);
	for (const x of users) await work(x, 3);

	// expired ones are refused and renewed
	await pause(3900);
	for (const x of users) await work(x, 3);
	if (!few) await services(4);
	for (let i = 0; i < 5 - few; i++) await webapp(STAFF[(i * 3 + 1) % 26], W.office, 3, false, i % 2 === 0);
	for (let i = 0; i < 3; i++) await portal(STAFF[i + 8], W.office, 4);
	// health checks and a request without a token
	for (const rs of ['mail', 'files', 'times']) {
		await machines.reports.fetch(AUD[rs] + '/health');
		await machines.reports.fetch(AUD[rs] + '/');
	}
	await pause(2400);
	for (const x of users) {
		if (x.rs === 'times') Object.assign(x, await oldSpa(x.p, 16 + (STAFF.indexOf(x.p) % 4)));
		await work(x, 2);
	}
	await services(5);
	await pause(3600);
	await turn_keys(['next', 'second']);
	await ctl('mail', 'cold');
	await ctl('files', 'cold');
	for (const x of users.slice(0, 12)) {
		await renew(x);
		await work(x, 2);
	}
	await services(6);
}
