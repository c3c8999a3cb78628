package httperp

import (
	"net/http"

	"gapless/erp"
)

// refused judges a write that was answered with anything but 2xx.
func (a *Adapter) refused(doc erp.Document, ans answer) erp.Outcome {
	c := complain(a.hide(ans.body)).safe(doc.Order)
	said := "the ERP answered " + statusText(ans.status)
	if c.text != "" {
		said += ": " + c.text
	}
	retry := erp.Outcome{Result: erp.Retry, Reason: said, After: after(ans.header.Get("Retry-After"), a.now())}
	switch status := ans.status; {
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity,
		status == http.StatusRequestEntityTooLarge:
		return rejected(said, c.field)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		retry.Reason = "the ERP refuses our credentials; mend token, secret or headers (" + said + ")"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		retry.Reason = "the ERP does not take orders at this address; check url, order_path and method (" + said + ")"
	case status >= 300 && status <= 399:
		retry.Reason = "the ERP sends us elsewhere, and redirects are not followed; check url (" + said + ")"
		return a.ambiguous(ans, retry)
	case status >= 500:
		return a.ambiguous(ans, retry)
	}
	return retry
}

// rejected is the ERP's no to this one document.
func rejected(said, field string) erp.Outcome {
	hint := "correct the order in Shopify, or what it names in the ERP, then replay it"
	if field != "" {
		hint = "correct " + field + " in Shopify, or what it names in the ERP, then replay the order"
	}
	return erp.Outcome{Result: erp.Rejected, Reason: said, Field: field, Hint: hint}
}

// ambiguous judges an answer after which the ERP may have done it all the same.
// In tier A sending it again is harmless; else only a look-up can tell.
func (a *Adapter) ambiguous(ans answer, retry erp.Outcome) erp.Outcome {
	if a.s.Tier == erp.TierA {
		retry.Lingers = ans.status != http.StatusServiceUnavailable // which says that nobody took it on
		return retry
	}
	return unknown(retry.Reason)
}
