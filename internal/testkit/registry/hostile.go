package registry

import (
	"net/http"
	"strings"
)

// On is a Before that answers the requests whose path holds part.
func On(part string, answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, part) {
			return false
		}
		answer(w, r)
		return true
	}
}

// Status answers with an error.
func Status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { Fail(w, code, "DENIED") }
}

// Body answers with whatever is given, under a media type.
func Body(mediaType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = w.Write([]byte(body))
	}
}

// Endless answers with zeros until the client has had enough.
func Endless(w http.ResponseWriter, r *http.Request) {
	chunk := make([]byte, 64<<10)
	for r.Context().Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// Stall begins an answer and never ends it. It returns when the client leaves or stop is closed.
func Stall(stop <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}
}
