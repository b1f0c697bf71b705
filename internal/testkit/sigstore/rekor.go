package sigstore

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strconv"
)

const hashSHA256 = crypto.SHA256

// certPEM is the certificate, or the key's public half, as log entries carry
// it.
func (s *signed) certPEM() []byte {
	if s.cert == nil {
		return Key{private: s.key}.PublicPEM()
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw})
}

func (i *Instance) hashedRekord(s *signed, content []byte) (map[string]any, error) {
	sum := sha256.Sum256(content)
	return i.log(s, "hashedrekord", map[string]any{
		"data": map[string]any{"hash": hash(sum[:])},
		"signature": map[string]any{
			"content": s.sig, "publicKey": map[string]any{"content": s.certPEM()},
		},
	})
}

// log returns the entry of a log with one leaf, as a bundle carries it: the
// body, the promise to include it (SET) and the proof that it is included, up
// to a signed checkpoint.
func (i *Instance) log(s *signed, kind string, spec map[string]any) (map[string]any, error) {
	body, err := json.Marshal(map[string]any{"apiVersion": "0.0.1", "kind": kind, "spec": spec})
	if err != nil {
		return nil, fmt.Errorf("encoding a log entry: %w", err)
	}
	i.entries++
	rekor := Key{private: i.rekor}
	id := sha256.Sum256(rekor.publicDER())
	// The members in this order are the canonical form that is signed.
	payload := fmt.Sprintf(`{"body":%q,"integratedTime":%d,"logID":"%x","logIndex":%d}`,
		base64.StdEncoding.EncodeToString(body), s.at.Unix(), id, i.entries)
	set, err := rekor.sign([]byte(payload))
	if err != nil {
		return nil, err
	}
	root := sha256.Sum256(append([]byte{0}, body...)) // RFC 6962, a tree with one leaf
	text := "rekor.virtual.test - 1\n1\n" + base64.StdEncoding.EncodeToString(root[:]) + "\n"
	sig, err := rekor.sign([]byte(text))
	if err != nil {
		return nil, err
	}
	note := text + "\n— rekor.virtual.test " + base64.StdEncoding.EncodeToString(append(append([]byte{}, id[:4]...), sig...)) + "\n"
	return map[string]any{
		"logIndex": strconv.FormatInt(i.entries, 10), "logId": map[string]any{"keyId": id[:]},
		"kindVersion": map[string]any{"kind": kind, "version": "0.0.1"}, "integratedTime": strconv.FormatInt(s.at.Unix(), 10),
		"inclusionPromise": map[string]any{"signedEntryTimestamp": set},
		"inclusionProof": map[string]any{
			"logIndex": "0", "rootHash": root[:], "treeSize": "1", "hashes": []any{}, "checkpoint": map[string]any{"envelope": note},
		},
		"canonicalizedBody": body,
	}, nil
}

// A Legacy is a layer of a cosign ".sig" or ".att" manifest.
type Legacy struct {
	MediaType   string
	Payload     []byte
	Annotations map[string]string
}

// SimpleSigning returns the payload that cosign 2 signs an image with.
func SimpleSigning(reference, digest string, annotations map[string]string) []byte {
	optional := map[string]string(nil)
	if len(annotations) > 0 {
		optional = annotations
	}
	b, err := json.Marshal(map[string]any{
		"critical": map[string]any{
			"identity": map[string]string{"docker-reference": reference},
			"image":    map[string]string{"docker-manifest-digest": digest},
			"type":     "cosign container image signature",
		},
		"optional": optional,
	})
	if err != nil {
		return nil
	}
	return b
}

// SignLegacy returns the layer of a ".sig" manifest with a certificate.
func (i *Instance) SignLegacy(r Request, payload []byte) (Legacy, error) {
	s, err := i.sign(r, payload)
	if err != nil {
		return Legacy{}, err
	}
	return i.legacy(r, s, payload)
}

// SignLegacyKey returns the layer of a ".sig" manifest with a key. With an
// instance it is logged there.
func (k Key) SignLegacyKey(i *Instance, payload []byte) (Legacy, error) {
	sig, err := k.sign(payload)
	if err != nil {
		return Legacy{}, err
	}
	if i == nil {
		return legacyLayer(payload, sig), nil
	}
	return i.legacy(Request{NoTSA: true}, &signed{key: k.private, sig: sig, at: Now}, payload)
}

func legacyLayer(payload, sig []byte) Legacy {
	return Legacy{
		MediaType: "application/vnd.dev.cosign.simplesigning.v1+json", Payload: payload,
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(sig)},
	}
}

func (i *Instance) legacy(r Request, s *signed, payload []byte) (Legacy, error) {
	l := legacyLayer(payload, s.sig)
	if s.cert != nil {
		l.Annotations["dev.sigstore.cosign/certificate"] = string(s.certPEM())
	}
	if !r.NoLog {
		entry, err := i.hashedRekord(s, payload)
		if err != nil {
			return l, err
		}
		text, err := rekorBundle(entry)
		if err != nil {
			return l, err
		}
		l.Annotations["dev.sigstore.cosign/bundle"] = text
	}
	if !r.NoTSA {
		token, err := i.stamp(s.sig, s.at)
		if err != nil {
			return l, err
		}
		text, err := json.Marshal(map[string]any{"SignedRFC3161Timestamp": token})
		if err != nil {
			return l, fmt.Errorf("encoding a timestamp: %w", err)
		}
		l.Annotations["dev.sigstore.cosign/rfc3161timestamp"] = string(text)
	}
	return l, nil
}

// rekorBundle is an entry as cosign 2 wrote it.
func rekorBundle(entry map[string]any) (string, error) {
	integers := map[string]json.Number{}
	for _, name := range []string{"integratedTime", "logIndex"} {
		text, _ := entry[name].(string)
		integers[name] = json.Number(text)
	}
	id, _ := entry["logId"].(map[string]any)
	key, _ := id["keyId"].([]byte)
	promise, _ := entry["inclusionPromise"].(map[string]any)
	b, err := json.Marshal(map[string]any{
		"SignedEntryTimestamp": promise["signedEntryTimestamp"],
		"Payload": map[string]any{
			"body": entry["canonicalizedBody"], "integratedTime": integers["integratedTime"], "logIndex": integers["logIndex"],
			"logID": fmt.Sprintf("%x", key),
		},
	})
	if err != nil {
		return "", fmt.Errorf("encoding a log entry: %w", err)
	}
	return string(b), nil
}
