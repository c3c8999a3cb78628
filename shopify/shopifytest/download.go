package shopifytest

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// bulkPath is where the files of bulk operations lie. In the real Shopify that is
// another host.
const bulkPath = "/bulk-operation-outputs/"

// address is where the operation's file lies, signed and for a week only.
func (b *bulkOperation) address() string {
	expires := strconv.FormatInt(b.ends.Add(bulkKept).Unix(), 10)
	path := fmt.Sprintf("%s%d", bulkPath, b.id)
	return b.host + path + "?" + url.Values{"Expires": {expires}, "Signature": {b.shop.signAddress(path, expires)}}.Encode()
}

func (s *Shop) signAddress(path, expires string) string {
	return sign(s.opt.WebhookSecret, []byte(path+"\n"+expires))
}

// download serves a file, as a storage does that knows nothing of tokens.
func (s *Shop) download(w http.ResponseWriter, r *http.Request) {
	status, file := s.fileAt(r)
	if status != http.StatusOK {
		w.Header().Set("Content-Type", "application/xml; charset=UTF-8")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code></Error>", strings.ReplaceAll(http.StatusText(status), " ", ""))
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	w.Header().Set("Content-Length", strconv.Itoa(len(file)))
	w.WriteHeader(status)
	_, _ = w.Write(file)
}

func (s *Shop) fileAt(r *http.Request) (status int, file []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	expires := r.URL.Query().Get("Expires")
	until, err := strconv.ParseInt(expires, 10, 64)
	switch {
	case r.Header.Get("X-Shopify-Access-Token") != "": // it leaked
		return http.StatusTeapot, nil
	case err != nil || r.URL.Query().Get("Signature") != s.signAddress(r.URL.Path, expires):
		return http.StatusForbidden, nil
	case s.opt.Now().Unix() > until:
		return http.StatusBadRequest, nil // an expired signature
	}
	for _, b := range s.bulk {
		if r.URL.Path == fmt.Sprintf("%s%d", bulkPath, b.id) && b.file != nil {
			return http.StatusOK, b.file
		}
	}
	return http.StatusNotFound, nil
}
