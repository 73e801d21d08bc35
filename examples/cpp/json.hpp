// A small reader of JSON, enough for the files of a bundle. Strings are UTF-16, as ICU has them.
#pragma once

#include <unicode/unistr.h>

#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace json {

struct Value {
    enum class Kind { null, boolean, number, string, array, object };

    Kind kind = Kind::null;
    bool boolean = false;
    double number = 0.0;
    icu::UnicodeString string;
    std::vector<Value> array;
    std::map<std::string, Value> object;  // keys are UTF-8

    bool has(const std::string& key) const { return object.count(key) != 0; }

    const Value& at(const std::string& key) const {
        auto found = object.find(key);
        if (found == object.end()) throw std::runtime_error("JSON object has no key " + key);
        return found->second;
    }
};

class Reader {
public:
    explicit Reader(std::string text) : text_(std::move(text)) {}

    Value read() {
        Value value = value_(0);
        if (next_() != '\0') fail_("more than one value");
        return value;
    }

private:
    static constexpr int deepest = 100;

    std::string text_;
    std::size_t place_ = 0;

    [[noreturn]] void fail_(const std::string& what) const {
        throw std::runtime_error("JSON, byte " + std::to_string(place_) + ": " + what);
    }

    // The next character that is not white space, which stays where it is; 0 at the end.
    char next_() {
        while (place_ < text_.size() && (text_[place_] == ' ' || text_[place_] == '\n' || text_[place_] == '\r' ||
                                         text_[place_] == '\t'))
            ++place_;
        return place_ < text_.size() ? text_[place_] : '\0';
    }

    void expect_(char wanted) {
        if (next_() != wanted) fail_(std::string("expected ") + wanted);
        ++place_;
    }

    bool skip_word_(const std::string& word) {
        if (text_.compare(place_, word.size(), word) != 0) return false;
        place_ += word.size();
        return true;
    }

    Value value_(int depth) {
        if (depth > deepest) fail_("too deep");
        Value value;
        switch (next_()) {
            case '{': read_object_(value, depth); return value;
            case '[': read_array_(value, depth); return value;
            case '"':
                value.kind = Value::Kind::string;
                value.string = string_();
                return value;
            default: return scalar_();
        }
    }

    Value scalar_() {
        Value value;
        if (skip_word_("null")) return value;
        if (skip_word_("true") || skip_word_("false")) {
            value.kind = Value::Kind::boolean;
            value.boolean = text_[place_ - 2] == 'u';
            return value;
        }
        const char* start = text_.c_str() + place_;
        char* end = nullptr;
        value.kind = Value::Kind::number;
        value.number = std::strtod(start, &end);
        if (end == start) fail_("expected a value");
        place_ += static_cast<std::size_t>(end - start);
        return value;
    }

    void read_object_(Value& value, int depth) {
        value.kind = Value::Kind::object;
        expect_('{');
        while (next_() != '}') {
            if (!value.object.empty()) expect_(',');
            next_();
            std::string key;
            string_().toUTF8String(key);
            expect_(':');
            value.object[key] = value_(depth + 1);
        }
        expect_('}');
    }

    void read_array_(Value& value, int depth) {
        value.kind = Value::Kind::array;
        expect_('[');
        while (next_() != ']') {
            if (!value.array.empty()) expect_(',');
            value.array.push_back(value_(depth + 1));
        }
        expect_(']');
    }

    icu::UnicodeString string_() {
        expect_('"');
        icu::UnicodeString result;
        std::string plain;
        while (true) {
            if (place_ >= text_.size()) fail_("a string does not end");
            char character = text_[place_++];
            if (character == '"') break;
            if (character != '\\') {
                plain.push_back(character);
                continue;
            }
            result += icu::UnicodeString::fromUTF8(plain);
            plain.clear();
            result += escape_();
        }
        return result += icu::UnicodeString::fromUTF8(plain);
    }

    char16_t escape_() {
        static const std::map<char, char16_t> short_forms = {
            {'"', u'"'}, {'\\', u'\\'}, {'/', u'/'}, {'b', u'\b'}, {'f', u'\f'}, {'n', u'\n'}, {'r', u'\r'}, {'t', u'\t'}};
        if (place_ >= text_.size()) fail_("a string does not end");
        char letter = text_[place_++];
        if (letter == 'u') {
            if (place_ + 4 > text_.size()) fail_("a string does not end");
            std::string digits = text_.substr(place_, 4);
            place_ += 4;
            return static_cast<char16_t>(std::stoul(digits, nullptr, 16));
        }
        auto found = short_forms.find(letter);
        if (found == short_forms.end()) fail_("unknown escape");
        return found->second;
    }
};

}  // namespace json
