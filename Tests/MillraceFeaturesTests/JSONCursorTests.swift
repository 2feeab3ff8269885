import FoundationEssentials
import MillraceInput
import MillraceSystem
import Testing

/// The JSON reader, against Foundation's.
@Suite struct JSONCursorTests {
    /// Where the text is no JSON; nil where it is.
    private func fault(_ text: String) -> JSONFault? {
        let bytes = Array(text.utf8)
        var cursor = JSONCursor()
        do throws(JSONFault) {
            try cursor.skipValue(bytes.span)
            try cursor.end(bytes.span)
            return nil
        } catch { return error }
    }

    /// Any JSON, every part of it decoded: Foundation looks at the parts that it is asked for.
    private struct Anything: Decodable {
        init(from decoder: any Decoder) throws {
            if let object = try? decoder.container(keyedBy: Name.self) {
                for name in object.allKeys { _ = try object.decode(Anything.self, forKey: name) }
            } else if var list = try? decoder.unkeyedContainer() {
                while !list.isAtEnd { _ = try list.decode(Anything.self) }
            } else {
                let value = try decoder.singleValueContainer()
                if value.decodeNil() || (try? value.decode(Bool.self)) != nil { return }
                if (try? value.decode(String.self)) != nil { return }
                _ = try value.decode(Double.self)
            }
        }

        struct Name: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }
    }

    private func isJSON(_ text: String) -> Bool {
        (try? JSONDecoder().decode(Anything.self, from: Data(text.utf8))) != nil
    }

    @Test(arguments: [
        "{}", "[]", "null", "true", "false", "0", "-0", "-0.5e-7", "1E+2", "\"\"", " [ 1 , 2 ] ",
        "{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":\"\\u00e9\\n\\\"\"}", "[[],{},[{}]]", "\t\r\n1\n",
    ])
    func valid(_ text: String) {
        #expect(fault(text) == nil, "\(text)")
        #expect(isJSON(text))
    }

    @Test(arguments: [
        ("", 0), ("{", 1), ("[1,]", 3), ("[1 2]", 3), ("[,1]", 1), ("{\"a\"}", 4), ("{\"a\":}", 5),
        ("{a:1}", 1), ("{\"a\":1,}", 7), ("01", 0), ("-", 0), ("1.", 2), ("1e", 2), (".5", 0),
        ("+1", 0), ("nul", 0), ("truth", 0), ("\"a", 2), ("\"\\x\"", 1), ("\"\\u12g4\"", 1),
        ("\"\t\"", 1), ("1 2", 2), ("[1]]", 3), ("{}{", 2), ("NaN", 0), ("[1,x]", 3),
    ])
    func invalid(_ text: String, _ position: Int) {
        #expect(fault(text)?.position == position, "\(text)")
    }

    @Test func depth() {
        let most = String(repeating: "[", count: 127) + String(repeating: "]", count: 127)
        #expect(fault(most) == nil)
        #expect(fault(String(repeating: "[", count: 200)) != nil)
    }

    /// Texts that are damaged at random are refused where Foundation refuses them.
    @Test func mutations() {
        let start = Array("{\"features\":[1.5,-2e3,null],\"label\":1,\"k\":\"a\\n\\u0041\"}".utf8)
        var random = SplitMix64(seed: 3)
        let alphabet = Array("{}[]\",:0123e+-.nultrfase \\u".utf8)
        var differences: [String] = []
        for _ in 0..<4000 {
            var bytes = start
            for _ in 0..<1 + Int(random.next() % 3) {
                let place = Int(random.next() % UInt64(bytes.count))
                let byte = alphabet[Int(random.next() % UInt64(alphabet.count))]
                switch random.next() % 3 {
                case 0: bytes[place] = byte
                case 1: bytes.insert(byte, at: place)
                default: bytes.remove(at: place)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            // Foundation decodes strings, and so refuses halves of surrogate pairs as well.
            if text.contains("\\uD") || text.contains("\\ud") { continue }
            // It takes a comma behind the last item, which RFC 8259 does not have.
            let packed = text.filter { $0 != " " }
            if packed.contains(",]") || packed.contains(",}") { continue }
            if (fault(text) == nil) != isJSON(text) { differences.append(text) }
        }
        #expect(differences.prefix(3) == [])
    }

    @Test func strings() throws {
        let texts = [
            "plain", "tab\\tnewline\\nquote\\\"slash\\/back\\\\", "\\u0041\\u00e9\\u20ac",
            "\\ud83d\\ude00 é", "\\b\\f\\r",
        ]
        for text in texts {
            let bytes = Array("\"\(text)\"".utf8)
            var cursor = JSONCursor()
            let range = try cursor.string(bytes.span)
            var value: [UInt8] = []
            JSONCursor.unescape(bytes.span, range, into: &value)
            let expected = try JSONDecoder().decode(String.self, from: Data(bytes))
            #expect(String(decoding: value, as: UTF8.self) == expected)
            let says = JSONCursor.says(bytes.span, range, Array(expected.utf8))
            let saysMore = JSONCursor.says(bytes.span, range, Array((expected + "x").utf8))
            #expect(says && !saysMore)
        }
        for lone in ["\\ud83d", "\\ude00", "\\ud83dx", "\\ud83d\\u0041"] {
            let bytes = Array("\"\(lone)\"".utf8)
            var value: [UInt8] = []
            JSONCursor.unescape(bytes.span, 1..<bytes.count - 1, into: &value)
            #expect(String(decoding: value, as: UTF8.self).first == "\u{FFFD}")
        }
    }
}
