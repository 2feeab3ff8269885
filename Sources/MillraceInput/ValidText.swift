/// Checks that bytes are UTF-8 before they are taken for text.
package enum ValidText {
    /// The position of the first byte that is not part of valid UTF-8; nil where all are.
    ///
    /// - Complexity: O(bytes); ASCII is passed over many bytes at a time.
    package static func firstFault(in bytes: Span<UInt8>) -> Int? {
        var union: UInt8 = 0
        for index in bytes.indices { union |= bytes[index] }
        if union < 0x80 { return nil }
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: bytes)
            return nil
        } catch {
            return error.byteOffsets.lowerBound
        }
    }

    /// The bytes as a string; nil where they are not UTF-8.
    package static func string(_ bytes: Span<UInt8>) -> String? {
        do throws(UTF8.ValidationError) {
            return String(copying: try UTF8Span(validating: bytes))
        } catch {
            return nil
        }
    }
}
