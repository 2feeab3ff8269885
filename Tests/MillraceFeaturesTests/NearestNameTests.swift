import MillraceInput
import Testing

@Suite("Suggestions")
struct NearestNameTests {
    private let columns = ["month", "day", "dep_delay", "arr_delay", "carrier", "dest"]

    @Test func slipsAreRecognised() {
        for (typed, meant) in [
            ("arr_dely", "arr_delay"), ("carier", "carrier"), ("Carrier", "carrier"),
            ("dya", "day"), ("destt", "dest"), ("mnoth", "month"), ("dep-delay", "dep_delay"),
        ] { #expect(NearestName.suggest(typed, among: columns) == meant) }
    }

    @Test func strangersAreNot() {
        for typed in ["", "x", "origin", "temperature", "zzz"] {
            #expect(NearestName.suggest(typed, among: columns) == nil)
        }
        #expect(NearestName.suggest("a", among: [String]()) == nil)
        #expect(NearestName.hint("zzz", among: columns) == "")
        #expect(NearestName.hint("dset", among: columns) == " (did you mean 'dest'?)")
    }
}
