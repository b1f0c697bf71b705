package sigstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/digitorus/timestamp"
)

// Now is the time at which an Instance signs unless it is told otherwise. It
// is fixed, so that what is made today and what is verified in ten years see
// the same clock.
var Now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// An Instance is a whole Sigstore in memory: certificate authority with
// certificate log, transparency log in the manner of Rekor v1, and timestamp
// authority. It issues what it is asked for, right or wrong.
type Instance struct {
	ca, intermediate, tsa authority
	rekor, ct             *ecdsa.PrivateKey
	entries               int64
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewInstance makes an Instance with fresh keys.
func NewInstance() (*Instance, error) {
	i := &Instance{}
	var err error
	year := 365 * 24 * time.Hour
	if i.ca, err = issue(template("virtual root", true, nil), nil, Now.Add(-year), Now.Add(9*year)); err != nil {
		return nil, err
	}
	codeSigning := []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	if i.intermediate, err = issue(template("virtual intermediate", true, codeSigning), &i.ca, Now.Add(-year), Now.Add(9*year)); err != nil {
		return nil, err
	}
	stamping := template("virtual tsa", false, nil)
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		return nil, fmt.Errorf("encoding a key usage: %w", err)
	}
	stamping.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}}
	if i.tsa, err = issue(stamping, &i.ca, Now.Add(-year), Now.Add(9*year)); err != nil {
		return nil, err
	}
	if i.rekor, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("making a log key: %w", err)
	}
	if i.ct, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("making a log key: %w", err)
	}
	return i, nil
}

func template(name string, ca bool, usage []x509.ExtKeyUsage) *x509.Certificate {
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: name, Organization: []string{"virtual.test"}}, IsCA: ca, BasicConstraintsValid: ca,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: usage,
	}
	if ca {
		t.KeyUsage = x509.KeyUsageCertSign
	}
	return t
}

func issue(t *x509.Certificate, by *authority, from, until time.Time) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, fmt.Errorf("making a key: %w", err)
	}
	cert, err := certify(t, by, key, from, until)
	return authority{cert: cert, key: key}, err
}

func certify(t *x509.Certificate, by *authority, key *ecdsa.PrivateKey, from, until time.Time) (*x509.Certificate, error) {
	if t.SerialNumber == nil {
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
		if err != nil {
			return nil, fmt.Errorf("choosing a serial number: %w", err)
		}
		t.SerialNumber = serial
	}
	t.NotBefore, t.NotAfter = from, until
	parent, signer := t, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("issuing a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// A Request says what a certificate-signed bundle is to look like. Its zero
// value but for Subject and Issuer is what a proper client makes.
type Request struct {
	// Subject is an e-mail address, or a URI if it has a scheme.
	Subject string
	Issuer  string
	// AlsoSubject is a second name in the certificate.
	AlsoSubject string
	// Extensions are the values below Fulcio's arc 1.3.6.1.4.1.57264.1, by
	// the last number.
	Extensions map[int]string
	// At is the time of the log entry and the timestamp; by default a minute
	// after the certificate was issued at Now.
	At time.Time
	// The proofs to leave out.
	NoSCT, NoLog, NoTSA bool
	// LogOf puts the log entry of another bundle in the place of its own.
	LogOf []byte
	// Entries repeats the log entry.
	Entries int
	// StampBy is another instance to ask for the timestamp.
	StampBy *Instance
}

// ExpireIntermediate gives the intermediate authority a certificate that ended
// an hour before Now, for the same key.
func (i *Instance) ExpireIntermediate() error {
	t := template("virtual intermediate", true, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning})
	cert, err := certify(t, &i.ca, i.intermediate.key, Now.AddDate(-1, 0, 0), Now.Add(-time.Hour))
	if err != nil {
		return err
	}
	i.intermediate.cert = cert
	return nil
}

// Sign returns a bundle v0.3 over a DSSE envelope with the statement.
func (i *Instance) Sign(r Request, statement []byte) ([]byte, error) {
	s, err := i.sign(r, preAuthEncoding(PayloadType, statement))
	if err != nil {
		return nil, err
	}
	return i.envelope(r, s, statement)
}

// SignKey returns a bundle like Sign's, signed with a key: Subject, Issuer and
// Extensions are not used.
func (i *Instance) SignKey(k Key, r Request, statement []byte) ([]byte, error) {
	sig, err := k.sign(preAuthEncoding(PayloadType, statement))
	if err != nil {
		return nil, err
	}
	return i.envelope(r, &signed{key: k.private, sig: sig, at: r.at()}, statement)
}

func (i *Instance) envelope(r Request, s *signed, statement []byte) ([]byte, error) {
	sum := sha256.Sum256(statement)
	entry, err := i.log(s, "dsse", map[string]any{
		"envelopeHash": hash(sum[:]),
		"payloadHash":  hash(sum[:]),
		"signatures":   []any{map[string]any{"signature": base64.StdEncoding.EncodeToString(s.sig), "verifier": s.certPEM()}},
	})
	if err != nil {
		return nil, err
	}
	return i.bundle(r, s, entry, map[string]any{"dsseEnvelope": map[string]any{
		"payload": statement, "payloadType": PayloadType,
		"signatures": []any{map[string]any{"sig": s.sig}},
	}})
}

// SignBlob returns a bundle v0.3 with a signature over the content.
func (i *Instance) SignBlob(r Request, content []byte) ([]byte, error) {
	s, err := i.sign(r, content)
	if err != nil {
		return nil, err
	}
	entry, err := i.hashedRekord(s, content)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	return i.bundle(r, s, entry, map[string]any{"messageSignature": map[string]any{
		"messageDigest": map[string]any{"algorithm": "SHA2_256", "digest": sum[:]}, "signature": s.sig,
	}})
}

// A signed is a signature and who made it.
type signed struct {
	cert *x509.Certificate // nil for a key
	key  *ecdsa.PrivateKey
	sig  []byte
	at   time.Time
}

func (i *Instance) sign(r Request, message []byte) (*signed, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	cert, err := i.leaf(r, key)
	if err != nil {
		return nil, err
	}
	sig, err := Key{private: key}.sign(message)
	if err != nil {
		return nil, err
	}
	return &signed{cert: cert, key: key, sig: sig, at: r.at()}, nil
}

func (r *Request) at() time.Time {
	if r.At.IsZero() {
		return Now.Add(time.Minute)
	}
	return r.At
}

// leaf issues a certificate as Fulcio does, valid for ten minutes, with the
// certificate log's promise inside.
func (i *Instance) leaf(r Request, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	t := template("", false, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning})
	t.Subject = pkix.Name{}
	for _, name := range []string{r.Subject, r.AlsoSubject} {
		if name == "" {
			continue
		}
		if u, err := url.Parse(name); err == nil && u.Scheme != "" {
			t.URIs = append(t.URIs, u)
		} else {
			t.EmailAddresses = append(t.EmailAddresses, name)
		}
	}
	claims := map[int]string{8: r.Issuer}
	for n, v := range r.Extensions {
		claims[n] = v
	}
	for n := range 32 {
		if v, ok := claims[n]; ok {
			der, err := asn1.MarshalWithParams(v, "utf8")
			if err != nil {
				return nil, fmt.Errorf("encoding extension %d: %w", n, err)
			}
			if n >= 2 && n <= 6 {
				der = []byte(v) // GitHub's first extensions are not DER
			}
			t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, n}, Value: der})
		}
	}
	cert, err := certify(t, &i.intermediate, key, Now, Now.Add(10*time.Minute))
	if err != nil || r.NoSCT {
		return cert, err
	}
	sct, err := i.promise(cert)
	if err != nil {
		return nil, err
	}
	t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: sct})
	return certify(t, &i.intermediate, key, Now, Now.Add(10*time.Minute))
}

// promise is a list with one signed certificate timestamp over a certificate
// that has none yet (RFC 6962, section 3.2 and 3.3).
func (i *Instance) promise(cert *x509.Certificate) ([]byte, error) {
	stamp := uint64(Now.UnixMilli())
	issuer := sha256.Sum256(i.intermediate.cert.RawSubjectPublicKeyInfo)
	message := []byte{0, 0} // v1, certificate_timestamp
	message = binary.BigEndian.AppendUint64(message, stamp)
	message = append(message, 0, 1) // precert_entry
	message = append(message, issuer[:]...)
	message = append(message, prefixed(3, cert.RawTBSCertificate)...)
	message = append(message, 0, 0) // no extensions
	sig, err := Key{private: i.ct}.sign(message)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(Key{private: i.ct}.publicDER())
	sct := append([]byte{0}, id[:]...)
	sct = binary.BigEndian.AppendUint64(sct, stamp)
	sct = append(sct, 0, 0, 4, 3) // no extensions, SHA-256, ECDSA
	sct = append(sct, prefixed(2, sig)...)
	return asn1.Marshal(prefixed(2, prefixed(2, sct)))
}

// prefixed writes the length of b in n bytes before it, as TLS does.
func prefixed(n int, b []byte) []byte {
	length := binary.BigEndian.AppendUint64(nil, uint64(len(b)))
	return append(length[8-n:], b...)
}

func (i *Instance) stamp(sig []byte, at time.Time) ([]byte, error) {
	sum := sha256.Sum256(sig)
	t := timestamp.Timestamp{
		HashAlgorithm: hashSHA256, HashedMessage: sum[:], Time: at, Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2},
	}
	return t.CreateResponseWithOpts(i.tsa.cert, i.tsa.key, hashSHA256)
}

func (i *Instance) bundle(r Request, s *signed, entry map[string]any, content map[string]any) ([]byte, error) {
	material := map[string]any{}
	if s.cert != nil {
		material["certificate"] = map[string]any{"rawBytes": s.cert.Raw}
	} else {
		hint := sha256.Sum256(Key{private: s.key}.publicDER())
		material["publicKey"] = map[string]any{"hint": base64.StdEncoding.EncodeToString(hint[:])}
	}
	if !r.NoLog {
		entries := []any{entry}
		for range r.Entries - 1 {
			entries = append(entries, entry)
		}
		material["tlogEntries"] = entries
		if r.LogOf != nil {
			var other struct {
				VerificationMaterial struct{ TlogEntries json.RawMessage }
			}
			if err := json.Unmarshal(r.LogOf, &other); err != nil {
				return nil, fmt.Errorf("reading the other bundle: %w", err)
			}
			material["tlogEntries"] = other.VerificationMaterial.TlogEntries
		}
	}
	if !r.NoTSA {
		by := i
		if r.StampBy != nil {
			by = r.StampBy
		}
		token, err := by.stamp(s.sig, s.at)
		if err != nil {
			return nil, err
		}
		material["timestampVerificationData"] = map[string]any{"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": token}}}
	}
	content["mediaType"] = BundleMediaType
	content["verificationMaterial"] = material
	return json.Marshal(content)
}

// TrustedRoot returns the trusted root of the instance, JSON.
func (i *Instance) TrustedRoot() ([]byte, error) {
	valid := map[string]any{"start": Now.AddDate(-1, 0, 0).Format(time.RFC3339)}
	log := func(name string, key *ecdsa.PrivateKey) []any {
		der := Key{private: key}.publicDER()
		id := sha256.Sum256(der)
		return []any{map[string]any{
			"baseUrl": "https://" + name + ".virtual.test", "hashAlgorithm": "SHA2_256", "logId": map[string]any{"keyId": id[:]},
			"publicKey": map[string]any{"rawBytes": der, "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": valid},
		}}
	}
	authority := func(name string, chain ...*x509.Certificate) []any {
		var certs []any
		for _, c := range chain {
			certs = append(certs, map[string]any{"rawBytes": c.Raw})
		}
		return []any{map[string]any{
			"subject": map[string]any{"organization": "virtual.test", "commonName": name}, "uri": "https://" + name + ".virtual.test",
			"certChain": map[string]any{"certificates": certs}, "validFor": valid,
		}}
	}
	return json.Marshal(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs":     log("rekor", i.rekor), "ctlogs": log("ct", i.ct),
		"certificateAuthorities": authority("fulcio", i.intermediate.cert, i.ca.cert),
		"timestampAuthorities":   authority("tsa", i.tsa.cert, i.ca.cert),
	})
}

func hash(sum []byte) map[string]any {
	return map[string]any{"algorithm": "sha256", "value": fmt.Sprintf("%x", sum)}
}
