package shopifytest

// Market says what a shop sells, in which money, and how it is taxed.
type Market struct {
	Catalog  []Product
	Currency string // the shop's
	// Exchange lists the other currencies that customers may pay in; empty
	// keeps every order in the shop's.
	Exchange []Exchange
	// Regions are the places that customers buy from; each order draws one.
	Regions []Region
}

// Product is one variant that the shop sells.
type Product struct {
	SKU      string
	Title    string
	Variant  string // "Black / S"; empty where the product has only one
	Vendor   string
	Price    int64 // in hundredths, whatever the currency's digits
	Grams    int64
	GiftCard bool
}

// Exchange is a currency and its worth: Rate ten-thousandths of it buy one unit
// of the shop's money.
type Exchange struct {
	Currency string
	Rate     int64
}

// Region is a place with its taxes. Sets holds one list of taxes for each class
// of goods: a product of place i in the catalog is taxed by Sets[i % len].
type Region struct {
	Included bool // prices hold their tax
	Sets     [][]*TaxRate
	Place    *Place
	Locale   string
}

// TaxRate is one tax. Rate counts hundred-thousandths: 21000 is 21 %.
type TaxRate struct {
	Title         string
	Rate          int64
	ChannelLiable bool // the sales channel pays it to the state
}

// DefaultCatalog is what a pretend shop sells unless told otherwise.
func DefaultCatalog() []Product {
	return []Product{
		{SKU: "TSHIRT-BLK-S", Title: "T-Shirt", Variant: "Black / S", Vendor: "Loom & Thread", Price: 1995, Grams: 180},
		{SKU: "TSHIRT-BLK-M", Title: "T-Shirt", Variant: "Black / M", Vendor: "Loom & Thread", Price: 1995, Grams: 190},
		{SKU: "TSHIRT-WHT-M", Title: "T-Shirt", Variant: "White / M", Vendor: "Loom & Thread", Price: 1850, Grams: 190},
		{SKU: "MUG-01", Title: "Tasse „Morgenrot“", Vendor: "Töpferei Süd", Price: 1249, Grams: 410},
		{SKU: "COFFEE-1KG", Title: "Café de altura 1 kg", Vendor: "Finca Ñandú", Price: 2333, Grams: 1000},
		{SKU: "SNOW-001", Title: "雪 Snowboard", Variant: "158 cm", Vendor: "北海道ボード", Price: 62995, Grams: 3900},
		{SKU: "GIFT-50", Title: "Gift Card", Vendor: "Pretend Shop", Price: 5000, GiftCard: true},
	}
}

// DefaultMarket is a shop in US dollars that sells all over the world: several
// taxes at once, taxes inside prices, none at all, and customers who pay in
// currencies of none, two and three decimals.
func DefaultMarket() Market {
	vat := func(title string, rate int64) []*TaxRate { return []*TaxRate{{Title: title, Rate: rate}} }
	return Market{
		Catalog:  DefaultCatalog(),
		Currency: "USD",
		Exchange: []Exchange{{"EUR", 9215}, {"JPY", 1493700}, {"KWD", 3071}, {"GBP", 7944}, {"BHD", 3770}},
		Regions: []Region{
			{Locale: "en-US", Place: &Place{"New York", "10001", "New York", "NY", "United States", "US"},
				Sets: [][]*TaxRate{{{Title: "New York State Tax", Rate: 4000}, {Title: "New York City Tax", Rate: 4500}, {Title: "Metropolitan Commuter Tax", Rate: 375}}}},
			{Locale: "en-US", Place: &Place{"Seattle", "98101", "Washington", "WA", "United States", "US"},
				Sets: [][]*TaxRate{{{Title: "Washington State Tax", Rate: 6500, ChannelLiable: true}, {Title: "Seattle City Tax", Rate: 3850, ChannelLiable: true}}}},
			{Locale: "de", Included: true, Place: &Place{"Köln", "50667", "", "", "Germany", "DE"},
				Sets: [][]*TaxRate{vat("DE MwSt", 19000), vat("DE MwSt ermäßigt", 7000)}},
			{Locale: "ja", Included: true, Place: &Place{"札幌市", "060-0001", "Hokkaidō", "JP-01", "Japan", "JP"},
				Sets: [][]*TaxRate{vat("消費税", 10000), vat("消費税 (軽減)", 8000)}},
			{Locale: "ar", Place: &Place{"الكويت", "13001", "Al Asimah", "KW-KU", "Kuwait", "KW"}},
		},
	}
}

// SimpleMarket is a shop with one currency and one tax per product, out of
// rates in hundred-thousandths, exclusive of prices: what a small ERP set up
// for one country knows.
func SimpleMarket(currency string, rates ...int64) Market {
	region := Region{Locale: "es", Place: &Place{"Cádiz", "11001", "Cádiz", "CA", "Spain", "ES"}}
	for _, r := range rates {
		region.Sets = append(region.Sets, []*TaxRate{{Title: "VAT " + fraction(r, 3) + "%", Rate: r}})
	}
	return Market{Catalog: DefaultCatalog(), Currency: currency, Regions: []Region{region}}
}

// price turns hundredths into minor units of the shop's currency and of
// the customer's.
func (m *Market) price(hundredths int64, pay *Exchange) Bag {
	shop := hundredths
	if digits(m.Currency) == 3 {
		shop *= 10
	}
	return m.bag(shop, pay)
}

// bag exchanges minor units of the shop's currency; pay is nil for the same.
func (m *Market) bag(shop int64, pay *Exchange) Bag {
	if pay == nil {
		return Bag{shop, shop}
	}
	n, d := pay.Rate, int64(10_000)
	for i := digits(m.Currency); i < digits(pay.Currency); i++ {
		n *= 10
	}
	for i := digits(pay.Currency); i < digits(m.Currency); i++ {
		d *= 10
	}
	return Bag{shop, ratio(shop, n, d)}
}
