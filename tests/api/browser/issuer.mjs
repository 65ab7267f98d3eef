// An issuer for tests: oidc-provider with one public client, which takes any name and password.
//
//   node issuer.mjs REDIRECT_URI CLIENT AUDIENCE
//
// Prints {"issuer": …} when it listens. The name somebody gives is a grant, and is granted.

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [redirectUri, client, audience] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = { ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig", kid: "test" };

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    jwks: { keys: [jwk] },
    clients: [{
      client_id: client,
      application_type: "native",
      token_endpoint_auth_method: "none",
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      id_token_signed_response_alg: "ES256",
    }],
    scopes: ["openid", "diaba"],
    pkce: { required: () => true },
    features: {
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({ scope: "diaba", audience, accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } }),
        useGrantedResource: () => true,
      },
    },
    extraTokenClaims: (ctx, token) => ({ diaba: [token.accountId] }),
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  });
  server.on("request", provider.callback());
  console.log(JSON.stringify({ issuer }));
});
