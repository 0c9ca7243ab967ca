// WS-Trust (2005/02) as far as usernamemixed needs it: the request, the answer, the fault.
import crypto from 'node:crypto';

const glue = (xml) => xml.replace(/>\s+/g, '>').replace(/\s+</g, '<').replace(/\s+/g, ' ').trim();
const TRUST = 'http://schemas.xmlsoap.org/ws/2005/02/trust';
const WSS = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity';
const envelope = (action, header, body) =>
	glue(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"
		xmlns:u="${WSS}-utility-1.0.xsd">
		<s:Header><a:Action s:mustUnderstand="1">${action}</a:Action>${header}</s:Header>
		<s:Body>${body}</s:Body>
	</s:Envelope>`);

export const request = (to, upn, password) =>
	envelope(
		TRUST + '/RST/Issue',
		`<a:MessageID>urn:uuid:${crypto.randomUUID()}</a:MessageID><a:To s:mustUnderstand="1">${to}</a:To>
		<o:Security s:mustUnderstand="1" xmlns:o="${WSS}-secext-1.0.xsd">
			<o:UsernameToken u:Id="user">
				<o:Username>${upn}</o:Username><o:Password>${password}</o:Password>
			</o:UsernameToken>
		</o:Security>`,
		`<t:RequestSecurityToken xmlns:t="${TRUST}">
			<t:RequestType>${TRUST}/Issue</t:RequestType>
			<t:KeyType>http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey</t:KeyType>
		</t:RequestSecurityToken>`,
	);

export const field = (xml, name) => xml.match(new RegExp(`<(?:\\w+:)?${name}(?:\\s[^>]*)?>([^<]*)<`))?.[1];

const SAML = 'urn:oasis:names:tc:SAML:1.0:assertion';
export const answer = (issuer, who) =>
	envelope(
		TRUST + '/RSTR/Issue',
		'',
		`<t:RequestSecurityTokenResponse xmlns:t="${TRUST}">
			<t:TokenType>${SAML}</t:TokenType>
			<t:RequestedSecurityToken>
				<saml:Assertion xmlns:saml="${SAML}" MajorVersion="1" MinorVersion="1" Issuer="${issuer}"
					AssertionID="_${crypto.randomUUID()}" IssueInstant="${new Date().toISOString()}">
					<saml:AuthenticationStatement>
						<saml:Subject><saml:NameIdentifier>${who}</saml:NameIdentifier></saml:Subject>
					</saml:AuthenticationStatement>
				</saml:Assertion>
			</t:RequestedSecurityToken>
		</t:RequestSecurityTokenResponse>`,
	);

export const fault = () =>
	envelope(
		'http://www.w3.org/2005/08/addressing/soap/fault',
		'',
		`<s:Fault>
			<s:Code><s:Value>s:Sender</s:Value>
				<s:Subcode><s:Value>a:FailedAuthentication</s:Value></s:Subcode>
			</s:Code>
			<s:Reason><s:Text xml:lang="en-US">ID3242: The security token could not be authenticated or
				authorized.</s:Text></s:Reason>
		</s:Fault>`,
	);
