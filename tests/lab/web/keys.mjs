// Makes the keys of a lab.
import crypto from 'node:crypto';
import fs from 'node:fs';
import { LAB, makeKeys } from './world.mjs';
makeKeys();
if (fs.existsSync(`${LAB}/keys/batch-cert.pem`))
	fs.writeFileSync(
		`${LAB}/keys/batch.jwk`,
		JSON.stringify({
			...new crypto.X509Certificate(fs.readFileSync(`${LAB}/keys/batch-cert.pem`)).publicKey.export({ format: 'jwk' }),
			use: 'sig',
			kid: 'batch',
			x5c: [new crypto.X509Certificate(fs.readFileSync(`${LAB}/keys/batch-cert.pem`)).raw.toString('base64')],
		}),
	);
