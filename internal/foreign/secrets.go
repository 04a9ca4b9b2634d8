package foreign

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Secrets is what must not come back in a text: what was sent to prove who we are. The zero value is empty; a nil one
// stays so. It is for concurrent use.
type Secrets struct {
	mu   sync.Mutex
	seen map[string]bool
	all  []string // in every spelling, the longest first
}

// shortest is the length below which a secret cannot be told from what a text says anyway.
const shortest = 4

// Add adds secrets. Empty ones do not count.
func (s *Secrets) Add(secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range secrets {
		if len(secret) < shortest || s.seen[secret] {
			continue
		}
		if s.seen == nil {
			s.seen = map[string]bool{}
		}
		s.seen[secret] = true
		for _, spelt := range spellings(secret) {
			if !slices.Contains(s.all, spelt) {
				s.all = append(s.all, spelt)
			}
		}
	}
	slices.SortStableFunc(s.all, func(a, b string) int { return len(b) - len(a) })
}

// AddSent adds the secrets of a request: those of Authorization, and of the form that asks for a token.
func (s *Secrets) AddSent(req *http.Request) {
	for _, header := range []string{"Authorization", "Proxy-Authorization"} {
		for _, value := range req.Header.Values(header) {
			scheme, credentials, ok := strings.Cut(value, " ")
			if !ok {
				credentials = value
			}
			s.Add(credentials)
			if decoded, err := base64.StdEncoding.DecodeString(credentials); err == nil && strings.EqualFold(scheme, "Basic") {
				_, password, _ := strings.Cut(string(decoded), ":")
				s.Add(string(decoded), password)
			}
		}
	}
	if password, ok := req.URL.User.Password(); ok {
		s.Add(password)
	}
}

// spellings are the ways in which a text that repeats a secret may write it.
func spellings(secret string) []string {
	quoted, err := json.Marshal(secret)
	if err != nil {
		quoted = []byte(`""`)
	}
	return []string{
		secret,
		url.QueryEscape(secret), url.PathEscape(secret),
		strings.Trim(string(quoted), `"`),
		strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="),
		strings.TrimRight(base64.URLEncoding.EncodeToString([]byte(secret)), "="),
	}
}

// Redact puts (redacted) for each secret in s.
func (s *Secrets) Redact(text string) string {
	if s == nil {
		return text
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.all {
		text = strings.ReplaceAll(text, secret, "(redacted)")
	}
	return text
}
