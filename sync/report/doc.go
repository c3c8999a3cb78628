// Package report is the report of one shop's day: what it says, as data, and the
// four forms it is written in. It knows neither where the figures come from nor
// who reads them, and imports nothing else of ours.
//
// A [Report] answers one question: is every order that Shopify has of this day
// accounted for? Its first line, [Report.Headline], says yes or no, by how much,
// and through what time that was checked. [Report.Write] writes all of it:
//
//	text  for terminals and mail: aligned, in plain words, in the shop's own time
//	html  the same for mail clients and browsers: one document, nothing to load
//	csv   one table that a spreadsheet can pivot; csv.go documents its columns
//	json  the data itself, with the headline and the difference beside it
//
// Text and html hold back when a day went very wrong: they show the first 200
// gaps and say how many more there are. csv and json have them all.
//
// It also says what a day is: [DayBounds], by the calendar and the clocks of a
// shop's zone, where a day may have 23 hours, or none.
//
// Names come from people and other systems. In every form they are harmless: no
// control characters, no marks that turn the direction of writing, nothing that
// a browser runs or a spreadsheet computes. In json they are data, as they came.
package report
