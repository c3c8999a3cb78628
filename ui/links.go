package ui

import (
	"net/url"
	"strconv"
	"strings"

	"gapless/store"
)

// adminOrder is an order's address in the Shopify admin; empty where the shop is
// no longer in the config.
func (v *visit) adminOrder(shop string, id int64) string {
	for _, c := range v.Actions.Connections().Shops {
		if handle, ours := strings.CutSuffix(c.Domain, ".myshopify.com"); c.Name == shop && ours {
			return "https://admin.shopify.com/store/" + url.PathEscape(handle) + "/orders/" + strconv.FormatInt(id, 10)
		}
	}
	return ""
}

// erpDocument is the address of an order's document in its ERP; empty where none
// was seen there, or nothing is known of its address.
func (v *visit) erpDocument(d store.Delivery) string {
	if !d.Present && d.ERPRef == "" {
		return ""
	}
	for _, e := range v.Actions.Connections().ERPs {
		if e.Name == d.ERP {
			return documentLink(e.Link, d)
		}
	}
	return ""
}

func documentLink(link string, d store.Delivery) string {
	if strings.Contains(link, "{id}") && d.ERPRef == "" {
		return ""
	}
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") } // right in a path, a query and a fragment
	return strings.NewReplacer("{ref}", escape(d.OrderKey.Ref()), "{id}", escape(d.ERPRef)).Replace(link)
}
