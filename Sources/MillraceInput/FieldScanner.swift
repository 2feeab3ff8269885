internal import CMillraceKernels

/// Finds the fields of a line by the kernels.
enum FieldScanner {
    /// What else is in a line.
    struct Contents {
        /// Whether a double quote is.
        var hasQuotes: Bool
        /// Whether a byte above 0x7F is.
        var hasHighBytes: Bool
    }

    /// Writes where the separators of `line` are to `places`, as far as there is room; returns how
    /// many there are.
    ///
    /// - Precondition: a line of at most `Int32.max` bytes.
    static func find(
        _ separator: UInt8, in line: Span<UInt8>, into places: inout MutableSpan<Int32>,
        _ contents: inout Contents
    ) -> Int {
        precondition(line.count <= Int32.max, "places have 31 bits")
        var flags: UInt32 = 0
        // SAFETY: the kernel reads within the line and writes as many places as there is room for.
        let set: UnsafePointer<cm_fields_set> = unsafe cm_fields_best()
        let found = unsafe line.withUnsafeBufferPointer { text in
            let room = Int64(places.count)
            return unsafe places.withUnsafeMutableBufferPointer { places in
                unsafe set.pointee.find(
                    text.baseAddress, Int64(text.count), separator, places.baseAddress, room,
                    &flags)
            }
        }
        contents = Contents(
            hasQuotes: flags & CM_FIELDS_QUOTE != 0, hasHighBytes: flags & CM_FIELDS_HIGH != 0)
        return Int(found)
    }
}
