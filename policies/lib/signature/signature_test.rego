package krmsafe.lib.signature_test

import data.krmsafe.lib.fixture
import data.krmsafe.lib.signature

accepted := object.union(fixture.unsigned_facts, {"request": {"flags": {"allowUnsigned": true}}})

file := object.union(fixture.unsigned_facts, {"request": {"source": "file", "reference": "fn.wasm"}})

test_required_allowed if count(signature.required) == 0 with input as fixture.facts

test_required_denied if {
	every document in [fixture.unsigned_facts, accepted, file] {
		{r.id | some r in signature.required with input as document} == {"signature.missing"}
	}
}

test_required_or_accepted_allowed if {
	every document in [fixture.facts, accepted] {
		count(signature.required_or_accepted) == 0 with input as document
	}
}

test_required_or_accepted_denied if {
	every document in [fixture.unsigned_facts, file] {
		{r.id | some r in signature.required_or_accepted with input as document} == {"signature.missing"}
	}
}

test_accepted_unsigned_warns if {
	{r.id | some r in signature.accepted_unsigned with input as accepted} == {"signature.accepted_unsigned"}
}

test_accepted_unsigned_does_not_warn if {
	every document in [fixture.facts, fixture.unsigned_facts, object.union(fixture.facts, {"request": {"flags": {"allowUnsigned": true}}})] {
		count(signature.accepted_unsigned) == 0 with input as document
	}
}

certified := object.union(fixture.facts, {"verified": {"signatures": [{
	"authority": "a", "type": "certificate", "format": "bundle", "keyID": "", "issuer": "i", "subject": "s", "annotations": {},
	"extensions": {}, "timestamps": [],
}]}})

test_signers_allowed if {
	count(signature.signers_outside([{"keyID": "x"}, {"keyID": "sha256:2222"}])) == 0 with input as fixture.facts
	count(signature.signers_outside({{"issuer": "i", "subject": "s"}})) == 0 with input as certified
}

test_issuer_beside_a_key_denied if {
	both := object.union(fixture.facts, {"verified": {"signatures": [object.union(fixture.facts.verified.signatures[0], {"issuer": "i", "subject": "s"})]}})
	{r.id | some r in signature.signers_outside([{"issuer": "i", "subject": "s"}]) with input as both} == {"signature.signer"}
}

test_signers_denied if {
	every signers in [[], [{"keyID": ""}], [{"keyID": "x"}], [{"issuer": "i", "subject": "s"}]] {
		{r.id | some r in signature.signers_outside(signers) with input as fixture.facts} == {"signature.signer"}
	}
	every signers in [[{"keyID": ""}], [{"issuer": "i"}], [{"issuer": "i", "subject": "t"}], [{"keyID": "sha256:2222"}]] {
		{r.id | some r in signature.signers_outside(signers) with input as certified} == {"signature.signer"}
	}
	{r.id | some r in signature.signers_outside([{"keyID": "sha256:2222"}]) with input as fixture.unsigned_facts} == {"signature.signer"}
}
