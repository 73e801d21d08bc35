// tokenize --vectors VECTORS.json      check this program against the test vectors
// tokenize TOKENIZER.json TEXT...      print the ids of each text, as the model of the bundle takes them
#include <unicode/unistr.h>

#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "json.hpp"
#include "tokenizer.hpp"

namespace {

json::Value read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    std::ostringstream content;
    content << file.rdbuf();
    return json::Reader(content.str()).read();
}

bool passes(const gm::Tokenizer& tokenizer, const json::Value& vector) {
    const icu::UnicodeString& text = vector.at("text").string;
    gm::Encoding found = tokenizer.encode(text);
    const auto& ids = vector.at("ids").array;
    bool same = found.ids.size() == ids.size() && gm::normalise(text) == vector.at("normalised").string &&
                found.unknown == vector.at("unknown").number && found.units == vector.at("units").number &&
                found.truncated == vector.at("truncated").boolean;
    for (std::size_t place = 0; same && place < ids.size(); ++place) same = found.ids[place] == ids[place].number;
    return same;
}

int check(const std::string& path) {
    json::Value file = read(path);
    gm::Tokenizer tokenizer(file.at("tokenizer"));
    std::size_t number = 0, failed = 0;
    for (const json::Value& vector : file.at("vectors").array) {
        if (!passes(tokenizer, vector)) {
            std::cerr << "vector " << number << " differs\n";
            ++failed;
        }
        ++number;
    }
    std::cout << number - failed << " of " << number << " vectors pass\n";
    return failed == 0 && number > 0 ? 0 : 1;
}

void print(const gm::Encoding& found) {
    for (std::int32_t id : found.ids) std::cout << id << ' ';
    std::cout << "(" << found.unknown << " of " << found.units << " unknown" << (found.truncated ? ", truncated" : "")
              << ")\n";
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3) {
        std::cerr << "usage: tokenize --vectors VECTORS.json | tokenize TOKENIZER.json TEXT...\n";
        return 2;
    }
    try {
        if (std::string(arguments[1]) == "--vectors") return check(arguments[2]);
        gm::Tokenizer tokenizer(read(arguments[1]));
        for (int index = 2; index < count; ++index)
            print(tokenizer.encode(icu::UnicodeString::fromUTF8(arguments[index])));
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "tokenize: " << error.what() << "\n";
        return 1;
    }
}
