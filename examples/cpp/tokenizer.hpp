// From a text to the ids that a bundle's model takes: docs/tokenizer.md in C++. Needs ICU (icu-uc).
#pragma once

#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "json.hpp"

namespace gm {

// What the tokeniser found in one text.
struct Encoding {
    std::vector<std::int32_t> ids;  // at most max_len; empty for a text of which normalisation leaves nothing
    int unknown = 0;                // code units with the id of unknown ones, of the whole text
    int units = 0;                  // code units of the whole text; unknown / units is the share
    bool truncated = false;
};

// White space of step 5: code points of bidirectional type B, S or WS, or of category Zs.
inline bool is_space(UChar32 code) {
    return (code >= 0x09 && code <= 0x0d) || (code >= 0x1c && code <= 0x20) || code == 0x85 || code == 0xa0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
           code == 0x202f || code == 0x205f || code == 0x3000;
}

template <typename Keep>
icu::UnicodeString filtered(const icu::UnicodeString& text, Keep keep) {
    icu::UnicodeString kept;
    for (int32_t place = 0; place < text.length(); place = text.moveIndex32(place, 1)) {
        UChar32 code = text.char32At(place);
        if (keep(code)) kept.append(code);
    }
    return kept;
}

// Step 1: neither control nor format characters, but for white space.
inline icu::UnicodeString without_controls(const icu::UnicodeString& text) {
    return filtered(text, [](UChar32 code) {
        int8_t category = u_charType(code);
        return is_space(code) || (category != U_CONTROL_CHAR && category != U_FORMAT_CHAR);
    });
}

// Combining marks of step 2: the class of the five is 0, but NFKC makes marks of them.
inline bool is_mark(UChar32 code) {
    return u_getCombiningClass(code) || code == 0xf73 || code == 0xf75 || code == 0xf81 || code == 0xff9e ||
           code == 0xff9f;
}

// Steps 2 and 4: of a run of combining marks, the first 128.
inline icu::UnicodeString without_long_runs(const icu::UnicodeString& text) {
    constexpr int most_marks = 128;
    int marks = 0;
    return filtered(text, [&marks](UChar32 code) {
        marks = is_mark(code) ? marks + 1 : 0;
        return marks <= most_marks;
    });
}

inline icu::UnicodeString nfkc(const icu::UnicodeString& text) {
    UErrorCode status = U_ZERO_ERROR;
    icu::UnicodeString normal = icu::Normalizer2::getNFKCInstance(status)->normalize(text, status);
    if (U_FAILURE(status)) throw std::runtime_error(u_errorName(status));
    return normal;
}

// Step 5: runs of white space become one blank, and none is left at the ends.
inline icu::UnicodeString with_single_blanks(const icu::UnicodeString& text) {
    icu::UnicodeString folded;
    bool blank = false;
    for (int32_t place = 0; place < text.length(); place = text.moveIndex32(place, 1)) {
        UChar32 code = text.char32At(place);
        if (is_space(code)) {
            blank = !folded.isEmpty();
            continue;
        }
        if (blank) folded.append(u' ');
        blank = false;
        folded.append(code);
    }
    return folded;
}

inline icu::UnicodeString normalise(const icu::UnicodeString& text) {
    icu::UnicodeString folded = nfkc(without_long_runs(without_controls(text)));
    folded.toLower(icu::Locale::getRoot());
    return with_single_blanks(without_long_runs(nfkc(folded)));
}

class Tokenizer {
public:
    // Takes the content of a bundle's tokenizer.json.
    explicit Tokenizer(const json::Value& stored) : max_len_(static_cast<int>(stored.at("max_len").number)) {
        if (stored.at("kind").string != icu::UnicodeString("chars")) throw std::runtime_error("not a tokeniser of characters");
        table_.fill(unknown_id);
        const icu::UnicodeString& characters = stored.at("characters").string;
        for (int32_t index = 0; index < characters.length(); ++index) table_[characters[index]] = first_id + index;
        if (stored.has("aliases")) add_aliases_(stored.at("aliases"));
    }

    Encoding encode(const icu::UnicodeString& text) const {
        icu::UnicodeString units = normalise(text);
        Encoding found;
        found.units = units.length();
        for (int32_t place = 0; place < units.length(); ++place) found.ids.push_back(table_[units[place]]);
        for (std::int32_t id : found.ids) found.unknown += id == unknown_id;
        found.truncated = units.length() > max_len_;
        if (found.truncated) {
            int tail = max_len_ / 4;
            found.ids.erase(found.ids.begin() + (max_len_ - tail), found.ids.end() - tail);
        }
        return found;
    }

private:
    static constexpr std::int32_t unknown_id = 1;
    static constexpr std::int32_t first_id = 2;

    void add_aliases_(const json::Value& aliases) {
        if (aliases.kind != json::Value::Kind::object) throw std::runtime_error("aliases are not an object");
        std::vector<std::pair<char16_t, std::int32_t>> added;  // all at the end, so that none stands for another
        for (const auto& [key, meant] : aliases.object) {
            icu::UnicodeString alias = icu::UnicodeString::fromUTF8(key);
            bool single = alias.length() == 1 && meant.string.length() == 1 && !U16_IS_SURROGATE(alias[0]);
            if (!single || table_[alias[0]] != unknown_id || table_[meant.string[0]] == unknown_id)
                throw std::runtime_error("an alias is in the vocabulary, or what it stands for is not");
            added.emplace_back(alias[0], table_[meant.string[0]]);
        }
        for (auto [alias, id] : added) table_[alias] = id;
    }

    int max_len_;
    std::array<std::int32_t, 0x10000> table_;
};

}  // namespace gm
