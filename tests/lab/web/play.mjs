// play NAME: one scenario, under the lab's clock, in the street's namespace.
import day, * as days from './day.mjs';
import * as attacks from './attacks.mjs';
const name = process.argv[2],
	f = name === 'web-day' ? day : attacks[name.replaceAll('-', '_')];
if (!f) {
	console.error('no scenario ' + name);
	process.exit(2);
}
setTimeout(() => {
	console.error('scenario takes too long');
	process.exit(3);
}, 240e3).unref();
await f(days);
process.exit(0);
